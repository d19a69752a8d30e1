/**
 * A purchase as an agent knows it: an intent, or a voucher on an open hold. Once it was sent twice,
 * no refusal is believed: the first sending may have bought something, and its answer got lost.
 * docs/purchases.md has the table in words.
 */

import type { Table } from "./machine.js";

/** What an agent knows of a purchase. */
export type PurchaseState =
  | "offered" // a price is named, nothing is signed
  | "signed" // the journal has it
  | "sent" // it is on its way
  | "unknown" // it may be paid or not, served or not
  | "sent_again"
  | "refused" // the merchant said no, and has the signature
  | "served"
  | "charged" // it is captured, and no answer that was paid for came
  | "over"; // nothing was charged for it, and nothing can be any more

export type PurchaseEvent =
  | "sign"
  | "send"
  | "served" // 2xx
  | "refused" // 402, with a reason that is none of the next ones
  | "repeated" // duplicate_settlement or …_voucher_repeated
  | "no_answer" // anything else, or nothing
  | "found_held" // says the verifier
  | "found_captured"
  | "found_released"
  | "expired" // it is not held, or not captured, and can't be any more
  | "crashed"; // the agent stopped and started again

/** What is found out later changes nothing of what is settled. */
function settled(state: PurchaseState): Table<PurchaseState, PurchaseEvent>[PurchaseState] {
  return { found_held: state, found_captured: state, found_released: state, expired: state, crashed: state };
}

export const PURCHASE: Table<PurchaseState, PurchaseEvent> = {
  offered: { sign: "signed", crashed: "offered" },
  // The journal does not say whether it left.
  signed: { send: "sent", found_released: "over", expired: "over", crashed: "unknown" },
  sent: { served: "served", refused: "refused", repeated: "unknown", no_answer: "unknown", crashed: "unknown" },
  unknown: {
    send: "sent_again",
    found_held: "unknown",
    found_captured: "charged",
    found_released: "over",
    expired: "over",
    crashed: "unknown",
  },
  sent_again: { served: "served", refused: "unknown", repeated: "unknown", no_answer: "unknown", crashed: "unknown" },
  refused: {
    send: "sent_again",
    found_held: "unknown",
    found_captured: "charged",
    found_released: "over",
    expired: "over",
    crashed: "refused",
  },
  served: settled("served"),
  charged: settled("charged"),
  over: settled("over"),
};
