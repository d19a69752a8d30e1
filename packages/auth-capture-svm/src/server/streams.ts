/**
 * Streamed holds: one hold pays for many requests, each by a voucher. The facilitator has every voucher on disk before
 * it is served, and captures the last one before the deadline whatever becomes of the merchant; what is kept here only
 * lets the rest of a hold go back to its payer earlier.
 */

import type { FacilitatorClient } from "@x402/core/server";
import type { PaymentRequirements, SettleResponse } from "@x402/core/types";

import type { Authorizer } from "./lifecycle.js";
import type { Purchases } from "./purchases.js";
import { type Accepted, type Commitment, lifecycleRequirements } from "./terms.js";
import { ask, refused } from "./verdict.js";

/** How often to look for holds that nobody uses any more. */
const INTERVAL_MILLISECONDS = 1_000;

const REPEATED = "invalid_auth_capture_svm_voucher_repeated";

/** A hold that pays for requests. */
interface Stream {
  readonly requirements: PaymentRequirements;
  /** The last voucher's, in base units. */
  amount: bigint;
  /** Milliseconds. */
  lastUsed: number;
}

export class Streams {
  readonly #facilitator: FacilitatorClient;
  readonly #authorizer: Authorizer;
  readonly #purchases: Purchases;
  readonly #idleMilliseconds: number;
  readonly #captureCommitment: Commitment | undefined;
  readonly #open = new Map<string, Stream>();
  readonly #closing = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(
    facilitator: FacilitatorClient,
    authorizer: Authorizer,
    purchases: Purchases,
    idleSeconds: number,
    captureCommitment?: Commitment,
  ) {
    this.#captureCommitment = captureCommitment;
    this.#facilitator = facilitator;
    this.#authorizer = authorizer;
    this.#purchases = purchases;
    this.#idleMilliseconds = idleSeconds * 1000;
    const close = (): void => void this.close((stream) => this.#isIdle(stream));
    this.#timer = setInterval(close, INTERVAL_MILLISECONDS).unref();
  }

  /** Has the facilitator keep the voucher. Anything but one that is new, or whose request was not served, is a "no". */
  async pay(accepted: Accepted, price: bigint): Promise<SettleResponse> {
    const { payment } = accepted;
    if (this.#purchases.isServed(accepted)) {
      return refused(payment.accepted, REPEATED, "the voucher bought something before");
    }
    if (!this.#purchases.claim(accepted)) {
      return refused(payment.accepted, "settlement_pending", "another request is being paid with the voucher");
    }
    try {
      return await this.#payClaimed(accepted, price);
    } finally {
      this.#purchases.release(accepted);
    }
  }

  /** Remembers what a voucher paid. */
  note({ payment, paymentId, amount }: Accepted): void {
    const before = this.#open.get(paymentId)?.amount ?? 0n;
    const requirements = lifecycleRequirements(payment.accepted, this.#captureCommitment);
    this.#open.set(paymentId, { requirements, amount: amount > before ? amount : before, lastUsed: Date.now() });
  }

  /** Captures the last voucher of every hold for which `isOver` holds, and releases the rest. */
  async close(isOver: (stream: Stream) => boolean = () => true): Promise<void> {
    const over = [...this.#open].filter(([paymentId, stream]) => isOver(stream) && !this.#closing.has(paymentId));
    await Promise.all(over.map(([paymentId, stream]) => this.#close(paymentId, stream)));
  }

  /** Stops looking for holds that nobody uses. */
  stop(): void {
    clearInterval(this.#timer);
  }

  async #payClaimed(accepted: Accepted, price: bigint): Promise<SettleResponse> {
    const { payment, paymentId } = accepted;
    const now = Date.now() / 1000;
    const { answer, isMissing } = await ask(this.#facilitator, payment);
    if (isMissing) {
      this.#purchases.doubt(accepted, now);
      return answer;
    }
    // Under its id a voucher that was accepted before is told yes again.
    const isToldAgain = answer.success && answer.extra?.["alreadySettled"] === true;
    const { errorReason, errorMessage: _message, ...settled } = answer;
    if (isToldAgain || errorReason === REPEATED) {
      if (!this.#purchases.isOwed(accepted)) {
        return refused(payment.accepted, REPEATED, "the voucher bought something before");
      }
    } else if (!answer.success) {
      return answer;
    } else if (!/^[0-9]+$/.test(answer.amount ?? "") || BigInt(answer.amount ?? "") < price) {
      console.error(`the facilitator said yes to a voucher of payment ${paymentId} that is below the price`);
      const message = "the facilitator's answer is weaker than this route asks for";
      return refused(payment.accepted, "unexpected_settle_error", message);
    }
    this.#purchases.serve(accepted, now);
    this.note(accepted);
    return { ...settled, success: true };
  }

  async #close(paymentId: string, { requirements, amount }: Stream): Promise<void> {
    this.#closing.add(paymentId);
    try {
      const payload = this.#authorizer.close(paymentId, amount);
      const answer = await this.#facilitator.settle({ x402Version: 2, accepted: requirements, payload }, requirements);
      if (answer.success) {
        this.#open.delete(paymentId);
        return;
      }
      // A voucher came in between, or the facilitator takes its time. If it never works, the facilitator captures the
      // last voucher before the deadline by itself.
      console.warn(`the hold of payment ${paymentId} is not closed yet: ${answer.errorReason}: ${answer.errorMessage}`);
      this.#wait(paymentId);
    } catch (error) {
      console.warn(`the hold of payment ${paymentId} is not closed yet: ${(error as Error).message}`);
      this.#wait(paymentId);
    } finally {
      this.#closing.delete(paymentId);
    }
  }

  #wait(paymentId: string): void {
    const stream = this.#open.get(paymentId);
    if (stream !== undefined) {
      stream.lastUsed = Date.now();
    }
  }

  #isIdle({ requirements, amount, lastUsed }: Stream): boolean {
    return Date.now() - lastUsed >= this.#idleMilliseconds || amount >= BigInt(requirements.amount);
  }
}
