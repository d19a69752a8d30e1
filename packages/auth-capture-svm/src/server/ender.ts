/**
 * Ends one payment: settles its capture or release, or finds out whether it is held. A release is signed when it goes
 * out, and the hold is closed on disk by then: whoever has it can end the hold there.
 */

import type { PaymentRequirements, SettleResponse } from "@x402/core/types";

import { shown } from "../bytes.js";
import type { HoldEvent, HoldState } from "../purchase/seller.js";
import { endingOf } from "../purchase/verdict.js";
import { INVALID_EXTRA } from "../reasons.js";
import type { Authorizer } from "./authorizer.js";
import { chargeEventOf } from "./charger.js";
import type { Facilitator } from "./facilitator.js";
import { bought, type Change, type Hold } from "./hold.js";
import { isStreamed } from "./payment.js";
import type { Records } from "./records.js";
import type { Deployment } from "./support.js";
import { recheckRequirements } from "./terms.js";
import { type Answered, ask } from "./verdict.js";

/** Knows who pays fees now, and asks again where a refusal says that it is another. */
export interface FeePayer {
  readonly deployment: Pick<Deployment, "feePayer">;
  refused(reason: string | undefined): void;
}

export class Ender {
  readonly #facilitator: Facilitator;
  readonly #authorizer: Authorizer;
  readonly #records: Records;
  readonly #support: FeePayer;

  constructor(facilitator: Facilitator, authorizer: Authorizer, records: Records, support: FeePayer) {
    this.#facilitator = facilitator;
    this.#authorizer = authorizer;
    this.#records = records;
    this.#support = support;
  }

  /** Does what is next for a payment. Returns the answer to its ending, if there is one. */
  end(paymentId: string): Promise<SettleResponse | undefined> {
    const { state, charge } = this.#records.get(paymentId);
    if (charge === "unknown") {
      return this.#checkCharge(paymentId);
    }
    return state === "unknown" ? this.#check(paymentId) : this.#settle(paymentId);
  }

  /** Closes an open hold for good, on disk. From then on nothing is sold for it. */
  close(paymentId: string): void {
    this.note(paymentId, { hold: ["due"] });
  }

  /** Notes what became of a payment. Where that can't be written it is done again later. */
  note(paymentId: string, change: Change): void {
    try {
      this.#records.change(paymentId, change);
    } catch (error) {
      console.error(`payment ${paymentId}: its outcome could not be recorded`, error);
    }
  }

  /**
   * Asks again for a hold that bought nothing, once nobody can get it any more. Another instance may
   * have it, and be serving it: only what is held for this one is released.
   */
  async #check(paymentId: string): Promise<undefined> {
    const { facts, payload } = this.#records.get(paymentId);
    if (facts?.requirements === undefined || payload === undefined) {
      return;
    }
    this.note(paymentId, { hold: ["due"] });
    const accepted = facts.requirements;
    const { verdict } = await this.#askAgain(accepted, payload);
    if (verdict !== "yes") {
      this.note(paymentId, { hold: [verdict] });
    } else if (isStreamed(accepted)) {
      this.note(paymentId, { hold: ["opened"], accepted: openingAmount(payload) });
    } else {
      this.note(paymentId, { hold: ["held"] });
    }
    if (this.#records.get(paymentId).state === "checking") {
      // What could not be written down is asked again.
      this.#records.remember(paymentId, { hold: ["no_answer"] });
    }
  }

  /** Asks whether a charge that bought nothing was made, once nobody can make it any more. */
  async #checkCharge(paymentId: string): Promise<undefined> {
    const { facts, payload } = this.#records.get(paymentId);
    if (facts?.requirements === undefined || payload === undefined) {
      return;
    }
    this.note(paymentId, { charge: "due" });
    const asked = await this.#askAgain(facts.requirements, payload);
    const event = chargeEventOf(asked, facts.requirements);
    this.note(paymentId, { charge: event });
    const { charge } = this.#records.get(paymentId);
    if (charge === "checking") {
      // What could not be written down is asked again.
      this.#records.remember(paymentId, { charge: "crashed" });
    } else if (charge === "paid") {
      console.warn(`payment ${paymentId} is charged and bought nothing: the client may retry, or refund it`);
    }
  }

  /** Settles again what a client sent, with who pays fees now. */
  async #askAgain(requirements: PaymentRequirements, payload: Record<string, unknown>): Promise<Answered> {
    const accepted = recheckRequirements(requirements, this.#support.deployment.feePayer);
    const asked = await ask(this.#facilitator, { x402Version: 2, accepted, payload }, this.#records.claim);
    const { errorReason } = asked.answer;
    this.#support.refused(errorReason);
    // Another may pay fees by now: that says nothing of the payment.
    return errorReason === INVALID_EXTRA ? { ...asked, verdict: "no_answer" } : asked;
  }

  async #settle(paymentId: string): Promise<SettleResponse | undefined> {
    const hold = this.#records.get(paymentId);
    const accepted = hold.facts?.requirements;
    if (accepted === undefined || !isBeingEnded(hold)) {
      return undefined;
    }
    const payload = hold.state === "capturing" ? hold.payload : this.#releaseOf(paymentId);
    if (payload === undefined) {
      return undefined;
    }
    let answer: SettleResponse | undefined;
    try {
      answer = await this.#facilitator.settle({ x402Version: 2, accepted, payload }, accepted);
    } catch (error) {
      console.warn(`payment ${paymentId} is still to be finalized: ${(error as Error).message}`);
    }
    const event: HoldEvent = answer === undefined ? "undecided" : endingOf(answer);
    if (event === "denied") {
      console.error(`payment ${paymentId} is not finalized: ${shown([answer?.errorReason, answer?.errorMessage])}`);
    }
    this.note(paymentId, { hold: [event] });
    return answer;
  }

  /** Nobody pays for what was refused: a stream ends at what was served of it. */
  #releaseOf(paymentId: string): Record<string, unknown> {
    const hold = this.#records.get(paymentId);
    const isStream = hold.facts?.requirements !== undefined && isStreamed(hold.facts.requirements);
    return isStream ? this.#authorizer.close(paymentId, bought(hold)) : this.#authorizer.end(paymentId, 0n);
  }
}

/** Returns whether an ending is signed, or to be signed, and not final. */
export function isBeingEnded({ state }: Pick<Hold, "state">): boolean {
  return state === "capturing" || state === "releasing";
}

const OVER: readonly HoldState[] = ["captured", "released", "lapsed"];

/** Returns whether nothing is to be done for a payment any more. */
export function isOver({ state }: Pick<Hold, "state">): boolean {
  return OVER.includes(state);
}

/** What the voucher that came with an intent pays, in base units. */
function openingAmount({ voucher }: Record<string, unknown>): bigint {
  return BigInt((voucher as { amount?: string } | undefined)?.amount ?? 0);
}
