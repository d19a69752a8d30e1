/**
 * A charge as a merchant knows it: checked, served, paid, and only then answered. What is signed may
 * be charged whatever the verifier says, so it may be served until it was. docs/purchases.md has the
 * table in words.
 */

import type { Table } from "./machine.js";

/** What a merchant knows of a payment that is charged at once. */
export type ChargeState =
  | "offered" // nothing, and nothing is signed
  | "verifying" // the verifier is being asked whether it would be paid
  | "working" // it would be, and the handler runs
  | "charging" // the capture is signed, and the verifier is being asked to charge it
  | "unknown" // it may be charged, and has bought nothing
  | "charging_again" // the same, and the verifier is being asked again
  | "checking" // the same, and no request waits
  | "paid" // it is charged, and has bought nothing
  | "serving" // the same, and the handler runs once more
  | "served";

export type ChargeEvent =
  | "asked" // a request came with it
  | "sound" // it would be paid
  | "refused" // anything else, before it was signed
  | "served" // with 2xx, and takes more than nothing
  | "failed"
  | "charged" // for this merchant, as final as asked
  | "undecided"
  | "denied"
  | "anothers" // it is charged for another claim
  | "due" // nobody can charge it any more
  | "over" // the capture deadline has passed
  | "crashed"; // the merchant stopped and started again

export const CHARGE: Table<ChargeState, ChargeEvent> = {
  offered: { asked: "verifying", crashed: "offered" },
  verifying: { sound: "working", refused: "offered", crashed: "offered" },
  // Nobody can charge what the merchant did not sign for.
  working: { served: "charging", failed: "offered", crashed: "offered" },
  // The verifier has the capture, and may be wrong or lie.
  charging: { charged: "served", undecided: "unknown", denied: "unknown", anothers: "offered", crashed: "unknown" },
  unknown: { asked: "charging_again", due: "checking", over: "offered", crashed: "unknown" },
  charging_again: {
    charged: "serving",
    undecided: "unknown",
    denied: "unknown",
    anothers: "offered",
    crashed: "unknown",
  },
  checking: { charged: "paid", undecided: "unknown", denied: "offered", anothers: "offered", crashed: "unknown" },
  paid: { asked: "serving", over: "offered", crashed: "paid" },
  serving: { served: "served", failed: "paid", crashed: "paid" },
  served: { over: "offered", crashed: "served" },
};
