/** What a payment that was signed is known by. */

import type { Purchase } from "./journal.js";

/** A payment that was signed. */
export interface Receipt {
  /** 64 hex digits: any verifier that settled it knows it as `/payments/{id}`. */
  readonly paymentId: string;
  /** What was signed for, in base units. The server may take less. */
  readonly amount: bigint;
  readonly payTo: string;
}

/** The payment's id, of a voucher too. */
export function paymentIdOf({ purchase }: Pick<Purchase, "purchase">): string {
  return purchase.slice(0, 64);
}

export function receiptOf(purchase: Purchase): Receipt {
  const { amount, payTo } = purchase;
  return { paymentId: paymentIdOf(purchase), amount, payTo };
}
