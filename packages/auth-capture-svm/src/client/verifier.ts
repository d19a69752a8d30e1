/** Has the session's verifier draft a payment: it knows the chain. */

import type { PaymentRequirements } from "@x402/core/types";

import { type Answer, ask, type Asking, errorOf, reasonOf } from "../answer.js";
import { printable, writeHex } from "../bytes.js";
import { Fields } from "../fields.js";
import { AgentError, type Details } from "./errors.js";
import type { Session } from "./session.js";

const TIMEOUT_MILLISECONDS = 30_000;

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

/** No draft: the verifier can't be reached, or sees no way to pay. */
export class NoDraftError extends AgentError {
  override readonly name = "NoDraftError";

  /** @param reason the verifier's code, where it has one */
  constructor(
    session: Session,
    message: string,
    readonly reason?: string,
    details?: Details,
  ) {
    super("no_draft", `the verifier ${session.verifier} drafted no payment: ${message}`, details);
  }
}

/** What a verifier is asked to draft. It is told neither the request nor its URL. */
export interface Wish {
  readonly offer: PaymentRequirements;
  /** The most to pay or to hold, in base units. */
  readonly maximumAmount: bigint;
  /** Of the request, or of the origin where a streamed hold pays. */
  readonly resourceHash: Uint8Array;
}

/** Asks a session's verifier. */
export class Verifier {
  readonly #session: Session;
  readonly #asking: Asking;

  /** @param send what sends requests */
  constructor(session: Session, send: typeof fetch) {
    this.#session = session;
    this.#asking = { fetch: send, timeoutMilliseconds: TIMEOUT_MILLISECONDS };
  }

  get url(): string {
    return this.#session.verifier;
  }

  /**
   * What the verifier would add to the offer to make an intent. Not to be trusted: see `checkDraft`.
   *
   * @throws {NoDraftError} if there is no draft; the message has the verifier's reason
   */
  async draft({ offer, maximumAmount, resourceHash }: Wish, { nonce, receiverProof }: Own): Promise<unknown> {
    const { escrow, sessionKey } = this.#session;
    const hash = writeHex(resourceHash);
    const body = {
      paymentRequired: { x402Version: 2, resource: { url: `urn:sha256:${hash}` }, accepts: [offer] },
      session: { escrow, sessionKey },
      resourceHash: hash,
      maximumAmount: maximumAmount.toString(),
      nonce: nonce.toString(),
      ...(receiverProof.length === 0 ? {} : { receiverProof }),
    };
    let answer: Answer;
    try {
      answer = await ask(`${this.#session.verifier}/intents`, body, this.#asking);
    } catch (error) {
      throw new NoDraftError(this.#session, reasonOf(error), undefined, { cause: error, retry: true });
    }
    const { status, json } = answer;
    if (status !== 200) {
      const { code, message } = refusal(json);
      const retry = status === 429 || status >= 500;
      throw new NoDraftError(this.#session, message ?? `HTTP status ${status}`, code, { retry });
    }
    try {
      return new Fields(new Fields(json, "answer").object("unsigned"), "answer.unsigned").object("payload");
    } catch (error) {
      throw new NoDraftError(this.#session, reasonOf(error), undefined, { cause: error });
    }
  }

  /** What the verifier knows of a payment: `null` for nothing, `undefined` if it gives no answer. */
  async look(paymentId: string): Promise<Report | null | undefined> {
    try {
      const { status, json } = await ask(`${this.#session.verifier}/payments/${paymentId}`, undefined, this.#asking);
      if (status === 404) {
        return null;
      }
      const fields = new Fields(json, "the payment");
      const amount = (name: string): bigint => (fields.has(name) ? fields.decimal(name) : 0n);
      const captured = amount("captured");
      const vouched = amount("vouched");
      const accepted = vouched > captured ? vouched : captured;
      return status === 200 ? { state: fields.text("state"), captured, accepted } : undefined;
    } catch {
      return undefined;
    }
  }
}

/** What a verifier says of a payment. */
export interface Report {
  readonly state: string;
  /** In base units. */
  readonly captured: bigint;
  /** What was bought by vouchers that were accepted, in base units. */
  readonly accepted: bigint;
}

/** The verifier's code, and its message with why it passed the offer over. */
function refusal(answer: unknown): { code?: string; message?: string } {
  const { code, message } = errorOf(answer);
  const { passedOver } = (answer ?? {}) as { passedOver?: ({ reason?: unknown } | null)[] };
  const reasons = Array.isArray(passedOver) ? passedOver.map((offer) => printable(String(offer?.reason))) : [];
  return {
    ...(code === undefined ? {} : { code }),
    ...(message === undefined ? {} : { message: [message, ...reasons].join("; ") }),
  };
}
