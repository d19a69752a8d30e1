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

/**
 * Sends until there is an answer, three times at most.
 *
 * @param send sends the first time
 * @param payment what `send` sent as `payment-signature`; none if nothing was sent, or it has no id
 * @param sendAgain sends the same payment
 * @param signal by which the caller gives up
 * @throws what the last sending threw
 */
export async function sendUntilAnswered(
  send: () => Promise<Response>,
  payment: () => string | undefined,
  sendAgain: (payment: string) => Promise<Response>,
  signal: AbortSignal,
): Promise<Response> {
  for (let sendings = 1; ; sendings += 1) {
    const named = payment();
    const isLast = sendings === MAXIMUM_SENDINGS;
    try {
      const response = await (named === undefined ? send() : sendAgain(named));
      if (payment() === undefined) {
        return response;
      }
      if (isLast || !isUnanswered(response)) {
        await readShort(response);
        return response;
      }
    } catch (error) {
      if (isLast || payment() === undefined) {
        throw error;
      }
    }
    // Throws if the caller has given up.
    await setTimeout(PAUSE_MILLISECONDS, undefined, { signal });
  }
}

function isUnanswered(response: Response): boolean {
  return (
    UNANSWERED_STATUSES.includes(response.status) ||
    (response.status === 402 && UNDECIDED.includes(refusalReason(response) ?? ""))
  );
}

/** Reads a body of known, small length: an answer that breaks off is lost too. */
async function readShort(response: Response): Promise<void> {
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  if (length <= LONGEST_BYTES) {
    await response.clone().arrayBuffer();
  }
}
