/** Holds before the handler, captures or releases after it, and tries again until the facilitator has it. */

import type { FacilitatorClient } from "@x402/core/server";
import type { SettleResponse } from "@x402/core/types";

import type { Authorizer } from "./lifecycle.js";
import type { Purchases } from "./purchases.js";
import { COMMITMENTS, lifecycleRequirements, type Accepted, type Commitment } from "./terms.js";
import type { Ending, Unsettled } from "./unsettled.js";
import { ask, isDecided, refused } from "./verdict.js";

/** How long a response waits for its capture. It is signed and on disk by then; the rest needs no client. */
const PATIENCE_MILLISECONDS = 20_000;
const RETRY_MILLISECONDS = 5_000;
/** How long after the capture deadline a capture that was sent before may still be reported. */
const GRACE_SECONDS = 3600;

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
  readonly #unsettled: Unsettled;
  readonly #captureCommitment: Commitment | undefined;
  readonly #sales = new Map<string, Sale>();
  readonly #timer: NodeJS.Timeout;
  #retrying = false;

  constructor(
    facilitator: FacilitatorClient,
    authorizer: Authorizer,
    purchases: Purchases,
    unsettled: Unsettled,
    captureCommitment?: Commitment,
  ) {
    this.#facilitator = facilitator;
    this.#authorizer = authorizer;
    this.#purchases = purchases;
    this.#unsettled = unsettled;
    this.#captureCommitment = captureCommitment;
    const settle = (): void =>
      void this.settleLeftOver().catch((error) => console.error("settling again failed", error));
    this.#timer = setInterval(settle, RETRY_MILLISECONDS).unref();
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
      this.#unsettled.add(paymentId, this.#ending(accepted, 0n));
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
    if (this.#purchases.isServed(accepted) || this.#unsettled.get(paymentId) !== undefined) {
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
    const ending = this.#ending(sale.accepted, amount);
    try {
      this.#unsettled.add(paymentId, ending);
    } catch (error) {
      // Still worth a try. If that fails too, the release that is on disk goes out.
      console.error(`the ending of payment ${paymentId} could not be written down`, error);
    }
    try {
      const answer = await within(PATIENCE_MILLISECONDS, this.#settle(ending));
      if (isDecided(answer)) {
        this.#forget(paymentId, answer);
        return answer;
      }
      console.warn(`payment ${paymentId} is not finalized yet: ${answer.errorReason}`);
    } catch (error) {
      console.warn(`payment ${paymentId} is not finalized yet: ${(error as Error).message}`);
    } finally {
      this.#sales.delete(paymentId);
    }
    return sale.held;
  }

  /** Settles what earlier requests, or an earlier run, left over. */
  async settleLeftOver(): Promise<void> {
    if (this.#retrying) {
      return;
    }
    this.#retrying = true;
    try {
      await Promise.all(this.#unsettled.paymentIds.map((paymentId) => this.#settleAgain(paymentId)));
    } finally {
      this.#retrying = false;
    }
  }

  /** Stops trying again, and lets another merchant use the file. */
  close(): void {
    clearInterval(this.#timer);
    this.#unsettled.close();
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

  async #settleAgain(paymentId: string): Promise<void> {
    // A request that works on a payment ends it itself.
    const ending = this.#sales.has(paymentId) ? undefined : this.#unsettled.get(paymentId);
    if (ending === undefined) {
      return;
    }
    try {
      const answer = await this.#settle(ending);
      if (isDecided(answer)) {
        return this.#forget(paymentId, answer);
      }
    } catch (error) {
      console.warn(`payment ${paymentId} is still to be finalized: ${(error as Error).message}`);
    }
    if (Date.now() / 1000 > ending.captureDeadline + GRACE_SECONDS) {
      console.error(`payment ${paymentId} could not be finalized before its deadline`);
      this.#unsettled.remove(paymentId);
    }
  }

  #forget(paymentId: string, answer: SettleResponse): void {
    if (!answer.success) {
      console.error(`payment ${paymentId} can't be finalized: ${answer.errorReason}: ${answer.errorMessage}`);
    }
    try {
      this.#unsettled.remove(paymentId);
    } catch (error) {
      // Settled again later, to no effect.
      console.error(`payment ${paymentId} is settled and could not be taken off the list`, error);
    }
  }

  #ending({ paymentId, payment, captureDeadline }: Accepted, amount: bigint): Ending {
    const requirements = lifecycleRequirements(payment.accepted, this.#captureCommitment);
    return { requirements, payload: this.#authorizer.end(paymentId, amount), captureDeadline };
  }

  #settle({ requirements, payload }: Ending): Promise<SettleResponse> {
    return this.#facilitator.settle({ x402Version: 2, accepted: requirements, payload }, requirements);
  }
}

/** How final that is: -1 for nothing that is on chain. */
function rank(commitment: unknown): number {
  return COMMITMENTS.findIndex((known) => known === commitment);
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the facilitator takes its time")), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
