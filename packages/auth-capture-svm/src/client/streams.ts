/** Holds that pay for many requests: what was signed for each of them, and whose turn it is. No I/O. */

import {
  PAYMENT_NOT_FOUND,
  PENDING,
  VOUCHER_ABOVE_HOLD,
  VOUCHER_DECREASED,
  VOUCHER_HOLD_CLOSED,
  VOUCHER_HOLD_NOT_FINAL,
  VOUCHER_REPEATED,
  VOUCHER_TOO_LATE,
  VOUCHER_WRONG_HOLD,
} from "../reasons.js";

/** A hold that is open. */
export interface Stream {
  readonly paymentId: string;
  /** The most that can be signed for, in base units. */
  readonly hold: bigint;
  /** Last second for captures, unix. */
  readonly captureDeadline: number;
  /** The last voucher's amount, in base units. */
  signed: bigint;
  /** What was served of it, as far as is known: less than `signed` where the last request was not answered. */
  served: bigint;
  /** Whether no honest server has kept the last voucher before it was sent. */
  isFresh: boolean;
  /** The amount of a voucher that was refused as it came too early. */
  early?: bigint | undefined;
  /** Last second to put the hold on chain, unix. */
  readonly authorizeBy: number;
  /** Whether the next request brings what opens it once more: it never arrived. */
  isMissing?: boolean;
  /** Whether an answer said that it is held, and its nonce is noted as used. */
  isHeld?: boolean;
}

/** Reasons for which a hold pays for nothing more. */
const ENDS_HOLD: readonly string[] = [
  PAYMENT_NOT_FOUND,
  VOUCHER_WRONG_HOLD,
  VOUCHER_HOLD_CLOSED,
  VOUCHER_TOO_LATE,
  VOUCHER_DECREASED,
  VOUCHER_ABOVE_HOLD,
];

/** The open holds of a process, by what they pay for: an origin and a receiver. */
export class Streams {
  readonly #open = new Map<string, Stream>();
  readonly #turns = new Map<string, Promise<void>>();
  /** Payments out of which nothing more can be bought. */
  readonly #usedUp = new Set<string>();

  /** Waits until nobody else pays out of the hold; the result is to be called when the request is answered. */
  async turn(key: string): Promise<() => void> {
    const before = this.#turns.get(key);
    let end = (): void => {};
    const turn = new Promise<void>((resolve) => (end = resolve));
    this.#turns.set(
      key,
      Promise.resolve(before).then(() => turn),
    );
    await before;
    return end;
  }

  /** The open hold, if its last voucher may have bought something or not. */
  inDoubt(key: string): Stream | undefined {
    const stream = this.#open.get(key);
    return stream !== undefined && stream.signed > stream.served ? stream : undefined;
  }

  /**
   * The open hold, with `signed` raised by what one more request costs; none if it has not that much left or ends by
   * `now`. A voucher that bought nothing yet is used again.
   */
  next(key: string, price: bigint, now: number): Stream | undefined {
    const stream = this.#open.get(key);
    if (stream === undefined) {
      return undefined;
    }
    const { hold, signed, served, captureDeadline, early } = stream;
    const amount = served + price > signed ? served + price : signed;
    if (amount > hold || now >= captureDeadline) {
      this.#open.delete(key);
      this.useUp(stream.paymentId);
      return undefined;
    }
    stream.isFresh = amount > signed || amount === early;
    stream.early = undefined;
    stream.signed = amount;
    return stream;
  }

  /** Returns whether nothing more can be bought out of a hold: it is used up, or over. */
  isUsedUp(paymentId: string): boolean {
    return this.#usedUp.has(paymentId);
  }

  /** Notes that nothing more can be bought out of a hold. */
  useUp(paymentId: string): void {
    this.#usedUp.add(paymentId);
  }

  open(key: string, stream: Stream): void {
    this.#open.set(key, stream);
  }

  /** Notes that a voucher of a hold was served after all. */
  served(paymentId: string, amount: bigint): void {
    for (const stream of this.#open.values()) {
      if (stream.paymentId === paymentId && amount > stream.served) {
        stream.served = amount;
      }
    }
  }

  /** Notes what a request with a voucher was answered. Returns whether another try is worth it. */
  answered(key: string, stream: Stream, status: number, reason: string | undefined): boolean {
    if (status >= 200 && status < 300) {
      stream.served = stream.signed;
      return false;
    }
    if (status !== 402 || reason === undefined) {
      return false;
    }
    if (reason === VOUCHER_HOLD_NOT_FINAL) {
      stream.early = stream.isFresh ? stream.signed : undefined;
      return false;
    }
    if (reason === VOUCHER_REPEATED) {
      // Of a voucher in doubt it is the answer. Else nothing more is signed: each request costs its price once.
      stream.served = stream.isFresh ? stream.served : stream.signed;
      return !stream.isFresh;
    }
    const opens = stream.served === 0n;
    if (reason === PAYMENT_NOT_FOUND && opens && !stream.isMissing && Date.now() / 1000 < stream.authorizeBy) {
      stream.isMissing = true;
      return true;
    }
    const ends = ENDS_HOLD.includes(reason);
    if (ends || (opens && reason !== PENDING)) {
      this.#open.delete(key);
    }
    return ends && !opens;
  }
}
