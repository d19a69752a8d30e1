/** Sends a payment that has an id again where its answer got lost: the same payment, so that nothing is paid twice. */

import { setTimeout } from "node:timers/promises";

import { refusalReason } from "../wire.js";

/** How often a payment is sent, the first time included. */
const MAXIMUM_SENDINGS = 3;

/** Before it is sent again. */
const PAUSE_MILLISECONDS = 1_000;

/** Servers keep no longer answers, so only these are worth asking for again. */
const LONGEST_BYTES = 64 * 1024;

/** What proxies answer for a server that does not. */
const UNANSWERED_STATUSES = [502, 503, 504];

/** Reasons of a 402 with which the last word is not said. */
const UNDECIDED = ["settlement_pending", "unexpected_settle_error"];

/** Reasons of a 402 for what the server has had before. To a repeat they are no answer: it may have been served. */
const REPEATED = ["duplicate_settlement", "invalid_auth_capture_svm_voucher_repeated"];

/**
 * Sends until there is an answer, three times at most.
 *
 * @param send sends the first time
 * @param payment what `send` sent as `payment-signature`; none if nothing was sent, or it has no id
 * @param sendAgain sends the same payment
 * @param signal by which the caller gives up
 * @throws what the last sending threw, or if a repeat is only told that the payment came before
 */
export async function sendUntilAnswered(
  send: () => Promise<Response>,
  payment: () => string | undefined,
  sendAgain: (payment: string) => Promise<Response>,
  signal: AbortSignal,
): Promise<Response> {
  for (let sendings = 1; ; sendings += 1) {
    const named = payment();
    const isLast = (): boolean => sendings === MAXIMUM_SENDINGS || payment() === undefined;
    let response: Response | undefined;
    try {
      const begun = await (named === undefined ? send() : sendAgain(named));
      response = payment() === undefined ? begun : await readShort(begun);
    } catch (error) {
      if (isLast()) {
        throw error;
      }
    }
    if (response !== undefined && sendings > 1 && isRefused(response, REPEATED)) {
      throw new Error("the server has had the payment before, and its answer to that is lost");
    }
    if (response !== undefined && (isLast() || !isUnanswered(response))) {
      return response;
    }
    // Throws if the caller has given up.
    await setTimeout(PAUSE_MILLISECONDS, undefined, { signal });
  }
}

function isUnanswered(response: Response): boolean {
  return UNANSWERED_STATUSES.includes(response.status) || isRefused(response, UNDECIDED);
}

function isRefused(response: Response, reasons: readonly string[]): boolean {
  return response.status === 402 && reasons.includes(refusalReason(response) ?? "");
}

/** Reads a body of known, small length: an answer that breaks off is lost too. */
async function readShort(response: Response): Promise<Response> {
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  if (length <= LONGEST_BYTES) {
    await response.clone().arrayBuffer();
  }
  return response;
}
