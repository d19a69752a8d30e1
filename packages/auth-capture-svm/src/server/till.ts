/** Decides with the facilitator and the record what a payment buys, and notes what it bought. */

import type { SettleResponse } from "@x402/core/types";

import { type HoldEvent, takesVouchers } from "../purchase/seller.js";
import type { Verdict } from "../purchase/verdict.js";
import { DUPLICATE, SETTLE_ERROR, VOUCHER_HOLD_CLOSED, VOUCHER_REPEATED } from "../reasons.js";
import type { Authorizer } from "./authorizer.js";
import type { Endings } from "./endings.js";
import type { Facilitator } from "./facilitator.js";
import { canFollow, canVoucherFollow, type Change } from "./hold.js";
import type { Facts } from "./line.js";
import { isSignedBy } from "./payment.js";
import type { Records } from "./records.js";
import { type Accepted, type Commitment, isFinalEnough, lifecycleRequirements } from "./terms.js";
import { type Answered, ask, BOUGHT, comesAgain, NOTHING_CHARGED, refused } from "./verdict.js";

/** How many payments that may be held are remembered: others go back at their deadline. */
const MOST_UNKNOWN = 65_536;

/** A request that is paid for, until it is served or not. */
export interface Sale {
  readonly accepted: Accepted;
  /** What the facilitator said of the hold, or of the voucher. */
  readonly held: SettleResponse;
}

/** What the facilitator's answer is to a payment. */
type Event = Verdict | "weak";

/** What becomes of a payment: a sale, or why it is none. */
export type Sold = Sale | { readonly refusal: SettleResponse };

export class Till {
  readonly #facilitator: Facilitator;
  readonly #authorizer: Authorizer;
  readonly #records: Records;
  readonly #endings: Endings;
  readonly #captureCommitment: Commitment | undefined;

  constructor(
    facilitator: Facilitator,
    authorizer: Authorizer,
    records: Records,
    endings: Endings,
    captureCommitment?: Commitment,
  ) {
    this.#facilitator = facilitator;
    this.#authorizer = authorizer;
    this.#records = records;
    this.#endings = endings;
    this.#captureCommitment = captureCommitment;
  }

  /** Has the facilitator hold the amount for one request. */
  async hold(accepted: Accepted): Promise<Sold> {
    const { paymentId, payment } = accepted;
    if (!canFollow(this.#records.get(paymentId), "asked")) {
      return { refusal: refused(payment.accepted, DUPLICATE, BOUGHT) };
    }
    this.#records.change(paymentId, { hold: ["asked"] });
    const answered = await ask(this.#facilitator, payment, this.#records.claim);
    return this.#note(accepted, answered, isFinalEnough(answered.answer, payment.accepted), (event) => ({
      hold: [event === "yes" ? "held" : this.#remembered(accepted, event)],
    }));
  }

  /** Has the facilitator accept a voucher, and first the hold that comes with it. */
  async accept(accepted: Accepted, price: bigint): Promise<Sold> {
    const { paymentId, payment, amount, sessionKey } = accepted;
    const opens = sessionKey !== undefined;
    const known = this.#records.get(paymentId);
    if (opens && !canFollow(known, "asked")) {
      return { refusal: refused(payment.accepted, DUPLICATE, BOUGHT) };
    }
    if (!opens && !takesVouchers(known.state)) {
      return { refusal: refused(payment.accepted, VOUCHER_HOLD_CLOSED, "the hold pays for nothing more here") };
    }
    if (!canVoucherFollow(known, amount, "asked")) {
      return { refusal: refused(payment.accepted, opens ? DUPLICATE : VOUCHER_REPEATED, BOUGHT) };
    }
    this.#records.change(paymentId, { hold: opens ? ["asked"] : [], voucher: [amount, "asked"] });
    const answered = await ask(this.#facilitator, payment, this.#records.claim);
    const isEnough = opens
      ? amount >= price && isFinalEnough(answered.answer, payment.accepted)
      : BigInt(answered.answer.amount ?? 0) >= price;
    return this.#note(accepted, answered, isEnough, (event) => ({
      hold: this.#holdEvents(accepted, event, opens),
      voucher: [amount, event === "yes" ? "held" : event],
    }));
  }

  /**
   * Ends a sale, before its answer leaves: captures `amount` of a hold, or releases all if that is 0.
   * A voucher is captured with those that follow.
   *
   * @returns what the client is to be told; a refusal if it must not be served
   */
  async end({ accepted, held }: Sale, amount: bigint): Promise<SettleResponse> {
    const { paymentId, payment, isStreamed: isVoucher } = accepted;
    const event = amount === 0n ? "failed" : "served";
    const payload = isVoucher || amount === 0n ? undefined : this.#authorizer.end(paymentId, amount);
    try {
      this.#records.change(paymentId, isVoucher ? { voucher: [accepted.amount, event] } : { hold: [event], payload });
    } catch (error) {
      console.error(`payment ${paymentId} is not served: it could not be recorded`, error);
      this.#fail(accepted);
      return refused(payment.accepted, SETTLE_ERROR, NOTHING_CHARGED);
    }
    if (isVoucher) {
      return held;
    }
    const answer = await this.#endings.settle(paymentId);
    // Whoever is charged gets what it bought, whatever the facilitator says of the capture.
    return answer?.success === true ? answer : held;
  }

  /** Notes what the facilitator answered: on disk before anything is served. */
  #note(
    accepted: Accepted,
    { verdict, answer }: Answered,
    isEnough: boolean,
    changeOf: (event: Event) => Change,
  ): Sold {
    const { paymentId, payment } = accepted;
    const event = verdict === "yes" && !isEnough ? "weak" : verdict;
    const facts = this.#records.get(paymentId).facts ?? this.#factsOf(accepted);
    try {
      this.#records.change(paymentId, { ...this.#withIntent(accepted, changeOf(event)), facts });
    } catch (error) {
      console.error(`payment ${paymentId} is not served: it could not be recorded`, error);
      this.#records.remember(paymentId, { ...this.#withIntent(accepted, changeOf("no_answer")), facts });
      return { refusal: comesAgain(payment.accepted) };
    }
    switch (event) {
      case "yes":
        return { accepted, held: { ...answer, success: true } };
      case "weak":
        console.error(`the facilitator said yes to less of payment ${paymentId} than was asked for`);
        return { refusal: comesAgain(payment.accepted) };
      case "anothers":
        return { refusal: refused(payment.accepted, isAlone(accepted) ? VOUCHER_REPEATED : DUPLICATE, BOUGHT) };
      default:
        return { refusal: answer.success ? comesAgain(payment.accepted) : answer };
    }
  }

  /** What an answer to a voucher is to its hold. */
  #holdEvents(accepted: Accepted, event: Event, opens: boolean): readonly HoldEvent[] {
    if (event === "yes") {
      return ["opened"];
    }
    return opens ? [this.#remembered(accepted, event)] : [];
  }

  /** A hold without an answer is kept to be released; but anyone can send junk, so only what is signed. */
  #remembered(accepted: Accepted, event: HoldEvent): HoldEvent {
    const { payment, sessionKey, paymentId } = accepted;
    const isNew = this.#records.get(paymentId).state === "sent";
    if (isNew && (event === "no_answer" || event === "weak")) {
      const isKept = this.#records.unknown < MOST_UNKNOWN;
      return isKept && sessionKey !== undefined && isSignedBy(payment, sessionKey) ? event : "no";
    }
    return event;
  }

  /** To a payment that becomes unknown, what the facilitator is to be asked again. */
  #withIntent({ payment, paymentId }: Accepted, change: Change): Change {
    const isNew = this.#records.get(paymentId).state === "sent";
    const isUnknown = change.hold?.some((event) => event === "no_answer" || event === "weak") === true;
    return isNew && isUnknown ? { ...change, payload: payment.payload } : change;
  }

  #fail({ paymentId, isStreamed, amount }: Accepted): void {
    this.#records.remember(paymentId, isStreamed ? { voucher: [amount, "failed"] } : { hold: ["failed"] });
  }

  #factsOf({ payment, authorizeBy, captureDeadline }: Accepted): Facts {
    const requirements = lifecycleRequirements(payment.accepted, this.#captureCommitment);
    return { requirements, authorizeBy, captureDeadline };
  }
}

/** Returns whether it is a voucher without the intent of its hold. */
function isAlone({ sessionKey }: Accepted): boolean {
  return sessionKey === undefined;
}
