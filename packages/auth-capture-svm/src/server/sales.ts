/** Holds before the handler, and captures or releases after it. */

import type { FacilitatorClient } from "@x402/core/server";
import type { SettleResponse } from "@x402/core/types";

import type { Endings } from "./endings.js";
import type { Authorizer } from "./lifecycle.js";
import type { Purchases } from "./purchases.js";
import { COMMITMENTS, lifecycleRequirements, type Accepted, type Commitment } from "./terms.js";
import type { Ending } from "./unsettled.js";
import { ask, refused } from "./verdict.js";

const DUPLICATE = "duplicate_settlement";

/** A payment that is held, and that a request is working on. */
interface Sale {
  readonly accepted: Accepted;
  /** What the facilitator said of the hold. */
  readonly held: SettleResponse;
}

export class Sales {
  readonly #facilitator: FacilitatorClient;
  readonly #authorizer: Authorizer;
  readonly #purchases: Purchases;
  readonly #endings: Endings;
  readonly #captureCommitment: Commitment | undefined;
  readonly #sales = new Map<string, Sale>();

  constructor(
    facilitator: FacilitatorClient,
    authorizer: Authorizer,
    purchases: Purchases,
    endings: Endings,
    captureCommitment?: Commitment,
  ) {
    this.#facilitator = facilitator;
    this.#authorizer = authorizer;
    this.#purchases = purchases;
    this.#endings = endings;
    this.#captureCommitment = captureCommitment;
  }

  /** Has the facilitator hold the amount. Anything but a hold that is new and final enough is a "no". */
  async hold(accepted: Accepted): Promise<SettleResponse> {
    const { paymentId, payment } = accepted;
    const held = await this.holdStreamed(accepted);
    if (!held.success) {
      return held;
    }
    this.#sales.set(paymentId, { accepted, held });
    try {
      // On disk before the handler runs: if it breaks off, be it by a crash, what is held goes back.
      this.#endings.begin(paymentId, this.#ending(accepted, 0n));
    } catch (error) {
      console.error(`payment ${paymentId} is not served: its release could not be written down`, error);
      await this.end(paymentId, 0n);
      return refused(payment.accepted, "unexpected_settle_error", "the server failed; nothing was charged");
    }
    return held;
  }

  /** The same for a hold that pays for many requests: its vouchers are captured, and the facilitator has them. */
  async holdStreamed(accepted: Accepted): Promise<SettleResponse> {
    const { paymentId, payment } = accepted;
    // An earlier run served what it left unsettled, or broke off and releases it.
    if (this.#purchases.isServed(accepted) || this.#endings.has(paymentId)) {
      return refused(payment.accepted, DUPLICATE, "the payment bought something before");
    }
    if (!this.#purchases.claim(accepted)) {
      return refused(payment.accepted, "settlement_pending", "the payment is being settled in another request");
    }
    try {
      return await this.#holdClaimed(accepted);
    } finally {
      this.#purchases.release(accepted);
    }
  }

  /** Captures `amount`, or releases all if that is 0. If it can't be done now, it will be: the hold's answer then. */
  async end(paymentId: string, amount: bigint): Promise<SettleResponse> {
    const sale = this.#sales.get(paymentId);
    if (sale === undefined) {
      throw new Error(`payment ${paymentId} is not held`);
    }
    const answer = await this.#endings.finish(paymentId, this.#ending(sale.accepted, amount));
    this.#sales.delete(paymentId);
    return answer ?? sale.held;
  }

  async #holdClaimed(accepted: Accepted): Promise<SettleResponse> {
    const { paymentId, payment } = accepted;
    const now = Date.now() / 1000;
    const { answer, isMissing } = await ask(this.#facilitator, payment);
    if (isMissing) {
      this.#purchases.doubt(accepted, now);
    }
    if (!answer.success) {
      return answer;
    }
    const { alreadySettled, state, status } = answer.extra ?? {};
    if (alreadySettled === true && !(state === "authorized" && this.#purchases.isOwed(accepted))) {
      return refused(payment.accepted, DUPLICATE, "the payment bought something before");
    }
    const asked = Math.max(rank(payment.accepted.extra["commitment"]), 0);
    if (rank(status) < asked) {
      console.error(`the facilitator said yes to payment ${paymentId} before it was final enough`);
      this.#purchases.doubt(accepted, now);
      const message = "the facilitator's answer is weaker than this route asks for";
      return refused(payment.accepted, "unexpected_settle_error", message);
    }
    this.#purchases.serve(accepted, now);
    return answer;
  }

  #ending({ paymentId, payment, captureDeadline }: Accepted, amount: bigint): Ending {
    const requirements = lifecycleRequirements(payment.accepted, this.#captureCommitment);
    return { requirements, payload: this.#authorizer.end(paymentId, amount), captureDeadline };
  }
}

/** How final that is: -1 for nothing that is on chain. */
function rank(commitment: unknown): number {
  return COMMITMENTS.findIndex((known) => known === commitment);
}
