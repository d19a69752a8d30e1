/**
 * Sells one request for one charge: it is checked, served and charged, and the answer leaves last.
 *
 * Until the capture is signed nobody can charge anything, so a handler that fails costs its client nothing. From then
 * on the payment may be charged whatever the facilitator says: whoever comes again with it is served, as often as it
 * takes, until an answer has left.
 */

import type { PaymentRequirements, SettleResponse } from "@x402/core/types";

import type { ChargeEvent } from "../purchase/charge.js";
import { DUPLICATE } from "../reasons.js";
import type { Authorizer } from "./authorizer.js";
import { canChargeFollow } from "./charge.js";
import type { Facilitator } from "./facilitator.js";
import type { Records } from "./records.js";
import { type Accepted, isFinalEnough } from "./terms.js";
import { type Answered, ask, askWhether, BOUGHT, NOTHING_CHARGED, notSold, refused } from "./verdict.js";

/** What the client is told where what happened could not be written down. */
const SEND_AGAIN = "the server failed; send the same request again";

/** A request that would be paid for, or is: its answer got lost before. */
export interface ChargeSale {
  readonly accepted: Accepted;
  readonly isCharged: boolean;
  /** What the facilitator said of the charge, if it has said something. */
  readonly settled?: SettleResponse | undefined;
}

/** Why nothing is sold: a refusal of the payment, or a failure of the server. */
export type NotSold = { readonly refusal: SettleResponse } | { readonly failure: string };

/** What the facilitator's answer is to a charge. */
export function chargeEventOf(
  { verdict, answer }: Answered,
  requirements: PaymentRequirements,
): Extract<ChargeEvent, "charged" | "anothers" | "denied" | "undecided"> {
  switch (verdict) {
    case "yes":
      return isFinalEnough(answer, requirements) ? "charged" : "undecided";
    case "anothers":
      return "anothers";
    case "no":
      return "denied";
    default:
      return "undecided";
  }
}

export class Charger {
  readonly #facilitator: Facilitator;
  readonly #authorizer: Authorizer;
  readonly #records: Records;

  constructor(facilitator: Facilitator, authorizer: Authorizer, records: Records) {
    this.#facilitator = facilitator;
    this.#authorizer = authorizer;
    this.#records = records;
  }

  /** Finds out before the handler runs whether its request would be paid for, or is. */
  async begin(accepted: Accepted): Promise<ChargeSale | NotSold> {
    const { paymentId, payment } = accepted;
    if (!canChargeFollow(this.#records.get(paymentId), "asked")) {
      return { refusal: refused(payment.accepted, DUPLICATE, BOUGHT) };
    }
    this.#records.change(paymentId, { charge: "asked" });
    const { charge, payload } = this.#records.get(paymentId);
    switch (charge) {
      case "charging_again":
        return this.#again(accepted, payload);
      case "serving": {
        // For the header; that it is charged is known.
        const { answer } = await this.#settle(accepted, payload);
        return { accepted, isCharged: true, settled: answer.success ? answer : undefined };
      }
      default:
        return this.#first(accepted);
    }
  }

  /**
   * Ends a sale, before its answer leaves: charges `amount`, of which nothing is where the handler failed.
   *
   * @param isServed whether the handler's answer was 2xx
   * @returns what the facilitator said of the charge, if there is one; or why the answer must not leave
   */
  async end(
    { accepted, isCharged, settled }: ChargeSale,
    isServed: boolean,
    amount: bigint,
  ): Promise<{ readonly settled: SettleResponse | undefined } | NotSold> {
    const { paymentId, payment } = accepted;
    if (isCharged) {
      return this.#endCharged(paymentId, settled, isServed);
    }
    if (amount === 0n) {
      this.#note(accepted, "failed");
      return { settled: undefined };
    }
    const payload = this.#authorizer.charge(payment.payload, paymentId, amount);
    if (!this.#note(accepted, "served", payload)) {
      return { failure: NOTHING_CHARGED };
    }
    const answered = await this.#settle(accepted, payload);
    const event = this.#eventOf(accepted, answered);
    if (!this.#note(accepted, event)) {
      return { failure: SEND_AGAIN };
    }
    return event === "charged" ? { settled: answered.answer } : { refusal: notSold(payment, answered) };
  }

  /** Nothing is signed yet. */
  async #first(accepted: Accepted): Promise<ChargeSale | NotSold> {
    const answered = await askWhether(this.#facilitator, accepted.payment);
    const isSound = answered.verdict === "yes";
    this.#note(accepted, isSound ? "sound" : "refused");
    return isSound ? { accepted, isCharged: false } : { refusal: notSold(accepted.payment, answered) };
  }

  /** The capture is signed, and what became of it is not known. */
  async #again(accepted: Accepted, payload: Record<string, unknown> | undefined): Promise<ChargeSale | NotSold> {
    const answered = await this.#settle(accepted, payload);
    const event = this.#eventOf(accepted, answered);
    if (!this.#note(accepted, event)) {
      return { failure: SEND_AGAIN };
    }
    return event === "charged"
      ? { accepted, isCharged: true, settled: answered.answer }
      : { refusal: notSold(accepted.payment, answered) };
  }

  /** It is charged, and nobody was answered. */
  #endCharged(
    paymentId: string,
    settled: SettleResponse | undefined,
    isServed: boolean,
  ): { readonly settled: SettleResponse | undefined } | NotSold {
    if (!this.#change(paymentId, () => this.#records.change(paymentId, { charge: isServed ? "served" : "failed" }))) {
      return { failure: SEND_AGAIN };
    }
    if (!isServed) {
      console.warn(`payment ${paymentId} is charged, and its handler failed: the client may retry, or refund it`);
    }
    return { settled };
  }

  #settle({ payment }: Accepted, payload = payment.payload): Promise<Answered> {
    return ask(this.#facilitator, { ...payment, payload }, this.#records.claim);
  }

  #eventOf({ paymentId, payment }: Accepted, answered: Answered): ReturnType<typeof chargeEventOf> {
    const event = chargeEventOf(answered, payment.accepted);
    if (event === "undecided" && answered.answer.success) {
      console.error(`the facilitator said yes to less of payment ${paymentId} than was asked for`);
    }
    return event;
  }

  /** Notes what happened, on disk where a crash must not lose it. Returns whether it did. */
  #note(
    { paymentId, payment, authorizeBy, captureDeadline }: Accepted,
    charge: ChargeEvent,
    payload?: Record<string, unknown>,
  ): boolean {
    const facts = { requirements: payment.accepted, authorizeBy, captureDeadline };
    const change = { charge, facts, payload };
    return this.#change(paymentId, () => this.#records.change(paymentId, change));
  }

  /** Where it can't be written the request breaks off: the payment is where it would be after a crash. */
  #change(paymentId: string, change: () => void): boolean {
    try {
      change();
      return true;
    } catch (error) {
      console.error(`payment ${paymentId}: its outcome could not be recorded`, error);
      this.#records.remember(paymentId, { charge: "crashed" });
      return false;
    }
  }
}
