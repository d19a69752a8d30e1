/** Finds out what became of a purchase. The verifier's word moves no money: it only says whether to wait. */

import { type PurchaseEvent, type PurchaseState, PURCHASE } from "../purchase/buyer.js";
import { nextOf } from "../purchase/machine.js";
import { readRequestPrice } from "../wire.js";
import { isFinished, type Journal, type Purchase } from "./journal.js";
import { paymentIdOf, type Receipt, receiptOf } from "./receipt.js";
import type { Promised } from "./spending.js";
import type { Report, Verifier } from "./verifier.js";

/** How far clocks may be apart, in seconds. */
const MARGIN_SECONDS = 60;

/** What is known of a purchase. */
export interface Found extends Receipt {
  /**
   * `served`; `charged` without an answer that was paid for; `over`, with nothing charged; or
   * `unknown` and `refused`, which may settle until then.
   */
  readonly state: "served" | "charged" | "over" | "unknown" | "refused";
  /** Last second at which money can still be taken for it, unix; absent if that is decided. */
  readonly maySettleUntil?: number;
}

/** What is known of the purchase under a key, or with an id. Asks the verifier where it is not decided. */
export async function find(key: string, journal: Journal, verifier: Verifier): Promise<Found | undefined> {
  const purchase = await journal.find(key);
  if (purchase === undefined) {
    return undefined;
  }
  const { state, isUnheld } = isFinished(purchase)
    ? { ...purchase, isUnheld: false }
    : await refresh(purchase, journal, verifier);
  const found = { ...receiptOf(purchase), state: state as Found["state"] };
  const { authorizeBy, captureDeadline } = purchase;
  return isFinished({ state }) ? found : { ...found, maySettleUntil: isUnheld ? authorizeBy : captureDeadline };
}

/** Asks the verifier about a purchase that is not finished, and notes what it says. */
export async function refresh(
  purchase: Purchase,
  journal: Journal,
  verifier: Verifier,
): Promise<{ state: PurchaseState; isUnheld: boolean }> {
  const report = await verifier.look(paymentIdOf(purchase));
  const event = eventOf(purchase, report, Date.now() / 1000);
  const state = event === undefined ? purchase.state : nextOf(PURCHASE, purchase.state, event);
  if (state !== purchase.state) {
    await journal.note(purchase.purchase, state);
  }
  return { state, isUnheld: report !== undefined && isUnheld(report) };
}

/** Whether a verifier's report says that nothing more can be taken out of a hold. */
export function isEnded(
  { authorizeBy, captureDeadline }: Pick<Purchase, "authorizeBy" | "captureDeadline">,
  report: Report | null | undefined,
  now: number,
): boolean {
  if (now > captureDeadline + MARGIN_SECONDS || hasEnded(report)) {
    return true;
  }
  return report !== undefined && isUnheld(report) && now > authorizeBy + MARGIN_SECONDS;
}

/** What a payment came to, in base units, by a verifier's report; `undefined` while that can still change. */
export function cameTo(report: Report | null, { authorizeBy }: Promised, now: number): bigint | undefined {
  if (report !== null && hasEnded(report)) {
    return report.captured;
  }
  return isUnheld(report) && now > authorizeBy + MARGIN_SECONDS ? 0n : undefined;
}

/** The hold has ended, or all was charged at once: nothing more can be taken. */
function hasEnded(report: Report | null | undefined): boolean {
  return report?.state === "ended" || report?.state === "paid";
}

/**
 * Nothing was ever put on chain. While the authorize-by time has not passed, it still can be. Of a
 * hold that is `captured` a part is, and a state that is new here is taken for an open one.
 */
function isUnheld(report: Report | null): boolean {
  return report === null || ["refused", "failed"].includes(report.state);
}

function eventOf(purchase: Purchase, report: Report | null | undefined, now: number): PurchaseEvent | undefined {
  if (report === undefined) {
    return undefined;
  }
  // Of an intent any capture is a charge.
  const isVoucher = purchase.payment.payload["type"] === "voucher";
  if (report !== null && report.captured >= (isVoucher ? leastOf(purchase) : 1n)) {
    return "found_captured";
  }
  if (isEnded(purchase, report, now)) {
    return hasEnded(report) ? "found_released" : "expired";
  }
  return isUnheld(report) ? undefined : "found_held";
}

/** How much of its hold is signed for, the purchase itself included, in base units. */
export function leastOf({ payment: { accepted, payload } }: Purchase): bigint {
  return payload["type"] === "voucher" ? BigInt(String(payload["amount"])) : (readRequestPrice(accepted) ?? 1n);
}
