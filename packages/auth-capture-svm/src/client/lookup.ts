/** Finds out what became of a purchase. The verifier's word moves no money: it only says whether to wait. */

import { type PurchaseEvent, PURCHASE } from "../purchase/buyer.js";
import { nextOf } from "../purchase/machine.js";
import { readRequestPrice } from "../wire.js";
import type { Journal, Purchase } from "./journal.js";
import type { Found } from "./outcome.js";
import type { Report, Verifier } from "./verifier.js";

/** How far clocks may be apart, in seconds. */
const MARGIN_SECONDS = 60;

/** What is known of the purchase under a key, or with an id. Asks the verifier where it is not decided. */
export async function find(key: string, journal: Journal, verifier: Verifier): Promise<Found | undefined> {
  const purchase = await journal.find(key);
  if (purchase === undefined) {
    return undefined;
  }
  const paymentId = paymentIdOf(purchase);
  let { state } = purchase;
  if (state === "unknown" || state === "refused") {
    const event = eventOf(purchase, await verifier.look(paymentId), Date.now() / 1000);
    if (event !== undefined) {
      state = nextOf(PURCHASE, state, event);
      await journal.note(purchase.purchase, state);
    }
  }
  const { amount, payTo, captureDeadline } = purchase;
  const isOpen = state === "unknown" || state === "refused";
  const found = { paymentId, amount, payTo, state: state as Found["state"] };
  return isOpen ? { ...found, maySettleUntil: captureDeadline } : found;
}

/** The payment's id, of a voucher too. */
export function paymentIdOf({ purchase }: Pick<Purchase, "purchase">): string {
  return purchase.slice(0, 64);
}

/** Whether a verifier's report says that nothing more can be taken out of a hold. */
export function isEnded(
  { authorizeBy, captureDeadline }: Pick<Purchase, "authorizeBy" | "captureDeadline">,
  report: Report | null | undefined,
  now: number,
): boolean {
  if (now > captureDeadline + MARGIN_SECONDS) {
    return true;
  }
  return report === null ? now > authorizeBy + MARGIN_SECONDS : report !== undefined && !isOpen(report);
}

function isOpen({ state }: Report): boolean {
  return state === "authorized" || state === "unsettled";
}

function eventOf(purchase: Purchase, report: Report | null | undefined, now: number): PurchaseEvent | undefined {
  if (report === undefined) {
    return undefined;
  }
  if (report === null) {
    return isEnded(purchase, report, now) ? "expired" : undefined;
  }
  if (report.captured >= leastOf(purchase)) {
    return "found_captured";
  }
  return isOpen(report) ? "found_held" : "found_released";
}

/** What is captured at least if the purchase was, in base units. */
function leastOf({ payment: { accepted, payload } }: Purchase): bigint {
  return payload["type"] === "voucher" ? BigInt(String(payload["amount"])) : (readRequestPrice(accepted) ?? 1n);
}
