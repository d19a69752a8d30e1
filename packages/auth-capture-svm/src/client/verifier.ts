/** Has the session's verifier draft a payment: it knows the chain and counts the nonces. */

import type { PaymentRequirements } from "@x402/core/types";

import { Fields } from "../fields.js";
import { writeHex } from "../bytes.js";
import type { Session } from "./session.js";

const TIMEOUT_MILLISECONDS = 30_000;

/** A request to a server that may ask for payment. */
export interface PaidRequest {
  /** As HTTP sends it. */
  readonly method: string;
  /** Absolute, without fragment. */
  readonly url: string;
  /** SHA-256 of the body. */
  readonly bodySha256: Uint8Array;
}

/** No draft: the verifier can't be reached, or sees no way to pay. */
export class NoDraftError extends Error {
  override readonly name = "NoDraftError";

  constructor(session: Session, message: string, options?: ErrorOptions) {
    super(`the verifier ${session.verifier} drafted no payment: ${message}`, options);
  }
}

/**
 * What the verifier would add to the offer to make an intent. Not to be trusted: see `checkDraft`.
 *
 * @throws {NoDraftError} if there is no draft; the message has the verifier's reason
 */
export async function draftPayload(
  session: Session,
  request: PaidRequest,
  offer: PaymentRequirements,
  maximumAmount: bigint,
): Promise<unknown> {
  const body = {
    paymentRequired: { x402Version: 2, resource: { url: request.url }, accepts: [offer] },
    session: { escrow: session.escrow, sessionKey: session.sessionKey },
    request: { method: request.method, url: request.url, bodySha256: writeHex(request.bodySha256) },
    maximumAmount: maximumAmount.toString(),
  };
  let answer: unknown;
  let response: Response;
  try {
    response = await fetch(`${session.verifier}/intents`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
    });
    answer = await response.json();
  } catch (error) {
    throw new NoDraftError(session, reason(error), { cause: error });
  }
  if (!response.ok) {
    throw new NoDraftError(session, refusal(answer) ?? `HTTP status ${response.status}`);
  }
  try {
    return new Fields(new Fields(answer, "answer").object("unsigned"), "answer.unsigned").object("payload");
  } catch (error) {
    throw new NoDraftError(session, reason(error), { cause: error });
  }
}

/** The verifier's message, and why it passed the offer over. */
function refusal(answer: unknown): string | undefined {
  const { error, passedOver } = (answer ?? {}) as {
    error?: { message?: unknown };
    passedOver?: { reason?: unknown }[];
  };
  if (typeof error?.message !== "string") {
    return undefined;
  }
  const reasons = Array.isArray(passedOver) ? passedOver.map((offer) => String(offer?.reason)) : [];
  return [error.message, ...reasons].join("; ");
}

/** `fetch` says "fetch failed", and the reason in its cause. */
function reason(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}
