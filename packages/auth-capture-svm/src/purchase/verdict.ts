/** What a verifier's answer says of a purchase. */

import type { SettleResponse } from "@x402/core/types";

import { DUPLICATE, PENDING, SETTLE_ERROR, VERIFY_ERROR, VOUCHER_REPEATED } from "../reasons.js";

/** What an answer to an intent or a voucher says. */
export type Verdict =
  | "yes" // it is held or accepted, for whoever asked
  | "anothers" // it is held or accepted for another claim
  | "no"
  | "unreadable" // the request can't be read or is too long: it says nothing of an earlier one
  | "no_answer";

/** Reasons of a "no" for what bought something before. */
export const REPEATED: readonly string[] = [DUPLICATE, VOUCHER_REPEATED];

/** Reasons of a "no" that asking again may change. */
export const UNDECIDED: readonly string[] = [PENDING, SETTLE_ERROR, VERIFY_ERROR];

/** Statuses of requests that are not read. */
const UNREADABLE = [400, 413];

/** Reads the verdict on an intent or a voucher out of an answer with status 200. */
export function verdictOf({ success, errorReason, extra }: SettleResponse): Verdict {
  if (success) {
    return extra?.["alreadySettled"] === true && extra["claimed"] !== true ? "anothers" : "yes";
  }
  return errorReason === undefined || UNDECIDED.includes(errorReason)
    ? "no_answer"
    : REPEATED.includes(errorReason)
      ? "anothers"
      : "no";
}

/** The verdict of an answer that has another status, or of none. */
export function verdictOfStatus(status: number | undefined): Verdict {
  return status !== undefined && UNREADABLE.includes(status) ? "unreadable" : "no_answer";
}

/** What an answer with status 200 says of a capture, a close or a release. */
export function endingOf({ success, errorReason, extra }: SettleResponse): "final" | "undecided" | "denied" {
  if (success) {
    return extra?.["status"] === "finalized" ? "final" : "undecided";
  }
  return errorReason === undefined || UNDECIDED.includes(errorReason) ? "undecided" : "denied";
}
