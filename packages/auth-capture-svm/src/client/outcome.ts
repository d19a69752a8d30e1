/** What came of a request, and what may still come of a payment for it. */

import { printable } from "../bytes.js";
import { PURCHASE, type PurchaseState } from "../purchase/buyer.js";
import { nextOf } from "../purchase/machine.js";
import { refusalReason } from "../settlement.js";
import type { Paying } from "./payer.js";
import type { Receipt } from "./receipt.js";
import type { Sent } from "./sending.js";

/** What came of a request. */
export type Outcome =
  /** The server answered 2xx; without a payment if it asked for none. */
  | { readonly kind: "served"; readonly response: Response; readonly payment?: Receipt }
  /**
   * The server answered and did not serve. If a payment was signed, the server has it: it can still
   * settle, until then (unix seconds).
   */
  | {
      readonly kind: "refused";
      readonly response: Response;
      readonly reason?: string;
      readonly payment?: Receipt;
      readonly maySettleUntil?: number;
    }
  /**
   * It may be paid or not, and served or not. It must not be bought anew before `maySettleUntil`
   * (unix seconds); `resume` sends the same payment again.
   */
  | {
      readonly kind: "unknown";
      readonly response?: Response;
      readonly reason: string;
      readonly payment: Receipt;
      readonly maySettleUntil: number;
      readonly cause?: unknown;
    };

/** What becomes of a purchase that was sent so often, and answered so in the end. */
export function stateAfter(before: PurchaseState, { event, sendings }: Sent): PurchaseState {
  const sending = sendings === 1 ? nextOf(PURCHASE, before, "send") : "sent_again";
  return nextOf(PURCHASE, sending, event);
}

/** What the caller is told. */
export function outcomeOf({ purchase, receipt: payment }: Paying, sent: Sent): Outcome {
  const { response, event, sendings, cause } = sent;
  // A server may have it held whatever it says: then it is captured until the capture deadline.
  const maySettleUntil = purchase.captureDeadline;
  const said = response === undefined ? undefined : refusalReason(response);
  const state = stateAfter(purchase.state, sent);
  if (state === "served" && response !== undefined) {
    return { kind: "served", response, payment };
  }
  if (state === "refused" && response !== undefined) {
    return {
      kind: "refused",
      response,
      ...(said === undefined ? {} : { reason: printable(said) }),
      payment,
      maySettleUntil,
    };
  }
  // To what was sent twice a refusal is no answer.
  const isFirst = sendings === 1 && purchase.state === "signed";
  return {
    ...{ kind: "unknown", reason: said === undefined ? "no answer came" : printable(said), payment, maySettleUntil },
    ...(response !== undefined && (isFirst || event === "no_answer") ? { response } : {}),
    ...(cause === undefined ? {} : { cause }),
  };
}
