/**
 * Streamed holds: one hold pays for many requests, each by a voucher. The facilitator has every voucher on disk before
 * it is served, and captures the last one before the deadline whatever becomes of the merchant; what is kept here only
 * lets the rest of a hold go back to its payer earlier.
 */

import type { FacilitatorClient } from "@x402/core/server";
import type { PaymentPayload, PaymentRequirements, SettleResponse } from "@x402/core/types";

import type { Authorizer } from "./lifecycle.js";
import { conflict, isConflict, refused } from "./sales.js";
import { lifecycleRequirements, type Commitment, type Voucher } from "./terms.js";

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
  readonly #idleMilliseconds: number;
  readonly #captureCommitment: Commitment | undefined;
  readonly #open = new Map<string, Stream>();
  /** Vouchers whose requests were not served: each may pay for another. */
  readonly #unserved = new Set<string>();
  readonly #closing = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(
    facilitator: FacilitatorClient,
    authorizer: Authorizer,
    idleSeconds: number,
    captureCommitment?: Commitment,
  ) {
    this.#captureCommitment = captureCommitment;
    this.#facilitator = facilitator;
    this.#authorizer = authorizer;
    this.#idleMilliseconds = idleSeconds * 1000;
    const close = (): void => void this.close((stream) => this.#isIdle(stream));
    this.#timer = setInterval(close, INTERVAL_MILLISECONDS).unref();
  }

  /** Has the facilitator keep the voucher. Anything but one that is new, or whose request was not served, is a "no". */
  async pay(payment: PaymentPayload, voucher: Voucher, price: bigint): Promise<SettleResponse> {
    const { accepted } = payment;
    const key = keyOf(voucher);
    let answer: SettleResponse;
    try {
      answer = await this.#facilitator.settle(payment, accepted);
    } catch (error) {
      if (isConflict(error)) {
        return conflict(accepted);
      }
      console.warn(`no verdict on a voucher of payment ${voucher.paymentId}: ${(error as Error).message}`);
      this.#unserved.add(key);
      const message = "the voucher could not be checked now; send the same request again";
      return refused(accepted, "unexpected_settle_error", message);
    }
    const wasUnserved = this.#unserved.delete(key);
    // Under its id a voucher that was accepted before is told yes again.
    const isToldAgain = answer.success && answer.extra?.["alreadySettled"] === true;
    if ((isToldAgain || answer.errorReason === REPEATED) && wasUnserved) {
      const { errorReason: _reason, errorMessage: _message, ...rest } = answer;
      answer = { ...rest, success: true };
    } else if (isToldAgain) {
      return refused(accepted, REPEATED, "the voucher bought something before");
    } else if (!answer.success) {
      return answer;
    } else if (!/^[0-9]+$/.test(answer.amount ?? "") || BigInt(answer.amount ?? "") < price) {
      console.error(`the facilitator said yes to a voucher of payment ${voucher.paymentId} that is below the price`);
      const message = "the facilitator's answer is weaker than this route asks for";
      return refused(accepted, "unexpected_settle_error", message);
    }
    this.note(accepted, voucher);
    return answer;
  }

  /** Remembers what a voucher paid. */
  note(accepted: PaymentRequirements, { paymentId, amount }: Voucher): void {
    const before = this.#open.get(paymentId)?.amount ?? 0n;
    const requirements = lifecycleRequirements(accepted, this.#captureCommitment);
    this.#open.set(paymentId, { requirements, amount: amount > before ? amount : before, lastUsed: Date.now() });
  }

  /** The voucher's request was not served: it may pay for another. */
  notServed(voucher: Voucher): void {
    this.#unserved.add(keyOf(voucher));
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

  async #close(paymentId: string, { requirements, amount }: Stream): Promise<void> {
    this.#closing.add(paymentId);
    try {
      const payload = this.#authorizer.close(paymentId, amount);
      const answer = await this.#facilitator.settle({ x402Version: 2, accepted: requirements, payload }, requirements);
      if (answer.success) {
        this.#open.delete(paymentId);
        for (const key of this.#unserved) {
          if (key.startsWith(paymentId)) {
            this.#unserved.delete(key);
          }
        }
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

function keyOf({ paymentId, amount }: Voucher): string {
  return `${paymentId} ${amount}`;
}
