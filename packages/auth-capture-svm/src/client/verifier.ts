/** Has the session's verifier draft a payment: it knows the chain. */

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

/** The agent's part of an intent. */
export interface Own {
  /** A nonce that is this request's alone. */
  readonly nonce: bigint;
  /**
   * Shows that the receiver is in the session's list: hashes in hexadecimal, none where they are
   * not needed.
   */
  readonly receiverProof: readonly string[];
}

/** The verifier's code for a nonce that can't be used. */
export const NONCE_REFUSED = "invalid_auth_capture_svm_nonce";

/** No draft: the verifier can't be reached, or sees no way to pay. */
export class NoDraftError extends Error {
  override readonly name = "NoDraftError";

  /** @param code the verifier's, where it has one */
  constructor(
    session: Session,
    message: string,
    readonly code?: string,
    options?: ErrorOptions,
  ) {
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
  { nonce, receiverProof }: Own,
): Promise<unknown> {
  const body = {
    paymentRequired: { x402Version: 2, resource: { url: request.url }, accepts: [offer] },
    session: { escrow: session.escrow, sessionKey: session.sessionKey },
    request: { method: request.method, url: request.url, bodySha256: writeHex(request.bodySha256) },
    maximumAmount: maximumAmount.toString(),
    nonce: nonce.toString(),
    ...(receiverProof.length === 0 ? {} : { receiverProof }),
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
    throw new NoDraftError(session, reason(error), undefined, { cause: error });
  }
  if (!response.ok) {
    const { code, message } = refusal(answer);
    throw new NoDraftError(session, message ?? `HTTP status ${response.status}`, code);
  }
  try {
    return new Fields(new Fields(answer, "answer").object("unsigned"), "answer.unsigned").object("payload");
  } catch (error) {
    throw new NoDraftError(session, reason(error), undefined, { cause: error });
  }
}

/** The verifier's code, and its message with why it passed the offer over. */
function refusal(answer: unknown): { code?: string; message?: string } {
  const { error, passedOver } = (answer ?? {}) as {
    error?: { code?: unknown; message?: unknown };
    passedOver?: { reason?: unknown }[];
  };
  const reasons = Array.isArray(passedOver) ? passedOver.map((offer) => String(offer?.reason)) : [];
  return {
    ...(typeof error?.code === "string" ? { code: error.code } : {}),
    ...(typeof error?.message === "string" ? { message: [error.message, ...reasons].join("; ") } : {}),
  };
}

/** `fetch` says "fetch failed", and the reason in its cause. */
function reason(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}
