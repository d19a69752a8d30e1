/**
 * What payments have bought, so that nothing is served twice, whatever the facilitator answers. In
 * memory. No I/O.
 */

import type { Address } from "../bytes.js";
import { isSignedBy } from "./payment.js";
import type { Accepted } from "./terms.js";

/** How many payments are kept before those that are over are looked for. */
const FEW = 1024;

/** What one request is paid with: a hold, or a voucher of a streamed one. */
export type Purchase = Pick<Accepted, "paymentId" | "amount">;

/** A payment, and what it has bought. */
interface Known {
  /** Signs its vouchers; not known of a hold that an earlier run of the server opened. */
  readonly sessionKey: Address | undefined;
  /** The last second at which it may buy something, unix. */
  readonly until: number;
  /** All amounts up to this one were served, or are being served ... */
  readonly served: bigint;
  /** ... except for this one: its request was not served, or the facilitator gave no verdict. */
  readonly owed: bigint | undefined;
}

export class Purchases {
  /** By payment id. Each is kept until it can't buy anything any more. */
  readonly #buyers = new Map<string, Known>();
  /** Payments that have bought nothing, and may have been accepted; oldest first. */
  readonly #unanswered = new Map<string, Known>();
  readonly #claimed = new Set<string>();
  readonly #mostUnanswered: number;
  #enough = FEW;

  /** @param mostUnanswered of more than these, the oldest are forgotten, and buy nothing then */
  constructor(mostUnanswered = 65_536) {
    this.#mostUnanswered = mostUnanswered;
  }

  /** How many payments are kept. */
  get size(): number {
    return this.#buyers.size + this.#unanswered.size;
  }

  /** Returns whether the purchase was served, or is being served. */
  isServed({ paymentId, amount }: Purchase): boolean {
    const known = this.#buyers.get(paymentId);
    return known !== undefined && amount <= known.served && amount !== known.owed;
  }

  /**
   * Takes a purchase that was not served for the request at hand, until `release`. Returns whether
   * no other request has it.
   */
  claim(purchase: Purchase): boolean {
    const key = keyOf(purchase);
    if (this.#claimed.has(key)) {
      return false;
    }
    this.#claimed.add(key);
    return true;
  }

  release(purchase: Purchase): void {
    this.#claimed.delete(keyOf(purchase));
  }

  /** Returns whether a purchase that the facilitator accepted before is still to be served. */
  isOwed({ paymentId, amount }: Purchase): boolean {
    return this.#known(paymentId)?.owed === amount;
  }

  /** Notes that a claimed purchase is being served. `now` is in unix seconds. */
  serve({ paymentId, amount, sessionKey, captureDeadline }: Accepted, now: number): void {
    const known = this.#known(paymentId) ?? { sessionKey, until: captureDeadline, served: 0n, owed: undefined };
    const served = amount > known.served ? amount : known.served;
    const owed = known.owed === amount ? undefined : known.owed;
    this.#unanswered.delete(paymentId);
    this.#buyers.set(paymentId, { ...known, served, owed });
    this.#forgetOver(now);
  }

  /** Notes that a purchase was not served after all, though it is paid for. */
  fail({ paymentId, amount }: Purchase): void {
    const known = this.#buyers.get(paymentId);
    if (known !== undefined) {
      this.#buyers.set(paymentId, { ...known, owed: amount });
    }
  }

  /**
   * Notes that there is no verdict on a claimed purchase: it may be accepted. Anyone can send junk,
   * so only what is signed is noted. `now` is in unix seconds.
   */
  doubt(accepted: Accepted, now: number): void {
    const { payment, paymentId, amount, captureDeadline } = accepted;
    const known = this.#known(paymentId);
    const sessionKey = accepted.sessionKey ?? known?.sessionKey;
    if (sessionKey === undefined || !isSignedBy(payment, sessionKey)) {
      return;
    }
    const payments = this.#buyers.has(paymentId) ? this.#buyers : this.#unanswered;
    payments.set(paymentId, { until: captureDeadline, served: 0n, ...known, sessionKey, owed: amount });
    for (const [oldest] of this.#unanswered) {
      if (this.#unanswered.size <= this.#mostUnanswered) {
        break;
      }
      this.#unanswered.delete(oldest);
    }
    this.#forgetOver(now);
  }

  #known(paymentId: string): Known | undefined {
    return this.#buyers.get(paymentId) ?? this.#unanswered.get(paymentId);
  }

  /** Forgets payments that can't buy any more, each time that the number of payments doubled. */
  #forgetOver(now: number): void {
    if (this.size < this.#enough) {
      return;
    }
    for (const payments of [this.#buyers, this.#unanswered]) {
      for (const [paymentId, { until }] of payments) {
        if (until < now) {
          payments.delete(paymentId);
        }
      }
    }
    this.#enough = Math.max(FEW, 2 * this.size);
  }
}

function keyOf({ paymentId, amount }: Purchase): string {
  return `${paymentId} ${amount}`;
}
