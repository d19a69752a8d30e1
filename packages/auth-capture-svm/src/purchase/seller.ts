/**
 * A purchase as a merchant knows it. A missing verdict never turns what was served into something
 * that can buy again: nothing leads back from there. docs/purchases.md has the tables in words.
 */

import type { Table } from "./machine.js";

/** What a merchant knows of a payment that is held. */
export type HoldState =
  | "offered" // nothing
  | "sent" // the verifier is being asked to hold it
  | "unknown" // it may be held, and has bought nothing
  | "sent_again" // the same, and the verifier is being asked again
  | "checking" // the verifier is being asked whether it is held, and no request waits
  | "serving" // its request is being served
  | "open" // it is held for many requests
  | "capturing" // it was served; the capture is signed
  | "releasing" // nothing was served, or it is closed for good
  | "captured"
  | "released"
  | "lapsed"; // it could not be ended any more

export type HoldEvent =
  | "asked" // a request came with it
  | "held" // for this merchant, as final as asked, for one request
  | "opened" // the same, for many
  | "weak" // a yes to less than was asked
  | "anothers" // it is held for another claim
  | "no"
  | "unreadable"
  | "no_answer"
  | "served" // with 2xx, and takes more than nothing
  | "failed"
  | "due" // it is time to give the rest back
  | "final" // the ending is
  | "undecided"
  | "denied"
  | "over" // the capture deadline has passed
  | "crashed"; // the merchant stopped and started again

/** What a merchant knows of a voucher. */
export type VoucherState = "offered" | "sent" | "serving" | "served";

export type VoucherEvent =
  | Extract<HoldEvent, "asked" | "held" | "weak" | "anothers" | "no" | "unreadable" | "no_answer">
  | Extract<HoldEvent, "served" | "failed" | "crashed">;

export const HOLD: Table<HoldState, HoldEvent> = {
  // Opened: a voucher of it was accepted. Another instance opened it, or that answer got lost.
  offered: { asked: "sent", opened: "open", crashed: "offered" },
  sent: {
    held: "serving",
    opened: "open",
    weak: "unknown",
    no_answer: "unknown",
    anothers: "offered",
    no: "offered",
    unreadable: "offered",
    crashed: "offered",
  },
  unknown: { asked: "sent_again", opened: "open", due: "checking", over: "lapsed", crashed: "unknown" },
  sent_again: {
    held: "serving",
    opened: "open",
    weak: "unknown",
    no_answer: "unknown",
    anothers: "offered",
    // It says nothing of the first sending, which may be held.
    no: "unknown",
    unreadable: "unknown",
    crashed: "unknown",
  },
  // Another instance may be serving it: only what is held for this one is released.
  checking: {
    held: "releasing",
    opened: "open",
    weak: "unknown",
    no_answer: "unknown",
    anothers: "offered",
    no: "offered",
    unreadable: "unknown",
    crashed: "unknown",
  },
  // After a crash nobody was answered.
  serving: { served: "capturing", failed: "releasing", crashed: "releasing" },
  // The voucher that came with it may buy a request after all: it decides.
  open: {
    asked: "open",
    opened: "open",
    weak: "open",
    no_answer: "open",
    anothers: "open",
    no: "open",
    unreadable: "open",
    due: "releasing",
    over: "lapsed",
    crashed: "open",
  },
  // Verifiers can lose what they knew, and lie: a capture is good until its deadline.
  capturing: { final: "captured", undecided: "capturing", denied: "capturing", over: "lapsed", crashed: "capturing" },
  releasing: { final: "released", undecided: "releasing", denied: "lapsed", over: "lapsed", crashed: "releasing" },
  captured: { over: "offered", crashed: "captured" },
  released: { over: "offered", crashed: "released" },
  lapsed: { over: "offered", crashed: "lapsed" },
};

/**
 * Returns whether a voucher that comes without its hold's intent may buy something, as far as is known here: another
 * instance may have opened the hold.
 */
export function takesVouchers(state: HoldState): boolean {
  return ["offered", "sent", "unknown", "sent_again", "open"].includes(state);
}

export const VOUCHER: Table<VoucherState, VoucherEvent> = {
  offered: { asked: "sent", crashed: "offered" },
  sent: {
    held: "serving",
    weak: "offered",
    no_answer: "offered",
    anothers: "offered",
    no: "offered",
    unreadable: "offered",
    crashed: "offered",
  },
  // Nobody was answered: it may pay for another request.
  serving: { served: "served", failed: "offered", crashed: "offered" },
  served: { crashed: "served" },
};
