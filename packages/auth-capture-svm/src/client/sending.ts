/** Sends a payment, and one that has an id again where its answer got lost: the same, so that nothing is paid twice. */

import { setTimeout } from "node:timers/promises";

import type { PurchaseEvent } from "../purchase/buyer.js";
import { REPEATED, UNDECIDED } from "../purchase/verdict.js";
import { refusalReason } from "../settlement.js";

/** How often a payment is sent, the first time included. */
const MAXIMUM_SENDINGS = 3;

/** Before it is sent again. */
const PAUSE_MILLISECONDS = 1_000;

/** Servers keep no longer answers, so only these are worth asking for again. */
const LONGEST_BYTES = 64 * 1024;

/** What proxies answer for a server that does not. */
const UNANSWERED_STATUSES = [502, 503, 504];

/** How a payment was answered. */
export interface Sent {
  /** What the last answer is to the purchase. */
  readonly event: Extract<PurchaseEvent, "served" | "refused" | "repeated" | "no_answer">;
  readonly response?: Response;
  /** Why there is none. */
  readonly cause?: unknown;
  readonly sendings: number;
}

/**
 * Sends until there is an answer, three times at most.
 *
 * @param send sends it
 * @param isNamed whether it has an id: else it is sent once
 * @param signal by which the caller gives up
 */
export async function sendUntilAnswered(
  send: () => Promise<Response>,
  isNamed: boolean,
  signal: AbortSignal,
): Promise<Sent> {
  for (let sendings = 1; ; sendings += 1) {
    let sent: Sent;
    try {
      const begun = await send();
      const response = isNamed ? await readShort(begun) : begun;
      sent = { event: eventOf(response), response, sendings };
    } catch (cause) {
      sent = { event: "no_answer", cause, sendings };
    }
    const isLost = sent.response === undefined || isUnanswered(sent.response);
    if (!isNamed || !isLost || sendings === MAXIMUM_SENDINGS || signal.aborted) {
      return sent;
    }
    try {
      await setTimeout(PAUSE_MILLISECONDS, undefined, { signal });
    } catch (cause) {
      return { event: "no_answer", cause, sendings };
    }
  }
}

function eventOf(response: Response): Sent["event"] {
  if (response.ok) {
    return "served";
  }
  const reason = response.status === 402 ? refusalReason(response) : undefined;
  if (reason === undefined || UNDECIDED.includes(reason)) {
    return "no_answer";
  }
  return REPEATED.includes(reason) ? "repeated" : "refused";
}

function isUnanswered(response: Response): boolean {
  const isUndecided = response.status === 402 && UNDECIDED.includes(refusalReason(response) ?? "");
  return UNANSWERED_STATUSES.includes(response.status) || isUndecided;
}

/** Reads a body of known, small length: an answer that breaks off is lost too. */
async function readShort(response: Response): Promise<Response> {
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  if (length <= LONGEST_BYTES) {
    await response.clone().arrayBuffer();
  }
  return response;
}
