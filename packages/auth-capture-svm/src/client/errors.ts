/** Why an agent did not pay, or does not know whether it did. `docs/agent-errors.json` has the codes. */

import { formatAmount } from "../amount.js";
import type { FieldError } from "../fields.js";

/** Words for kinds of errors, the same as the Rust agent's and its command line's. */
export type ErrorCode =
  | "already_bought"
  | "draft_refused"
  | "in_doubt"
  | "journal_file"
  | "key_conflict"
  | "locked_limit"
  | "no_draft"
  | "no_such_key"
  | "nonces"
  | "plain_http"
  | "receiver_not_listed"
  | "session_expired"
  | "session_file"
  | "spending_file"
  | "spending_limit"
  | "too_many_holds"
  | "unknown";

const AMOUNT_FIELD = "accepted.amount";
const PAY_TO_FIELD = "accepted.payTo";

/** What an error says beside its message. */
export interface Details extends ErrorOptions {
  /** The option, limit or part of the offer that it is about. */
  readonly field?: string | undefined;
  /** What to do. */
  readonly remedy?: string | undefined;
  /** Whether the same call may work later, without anything being changed. */
  readonly retry?: boolean | undefined;
}

/** An error of an agent. */
export class AgentError extends Error {
  readonly field: string | undefined;
  readonly remedy: string | undefined;
  readonly retry: boolean;

  constructor(
    readonly code: ErrorCode,
    message: string,
    { field, remedy, retry = false, ...options }: Details = {},
  ) {
    super(message, options);
    this.field = field;
    this.remedy = remedy;
    this.retry = retry;
  }

  /** As the command line prints it with `--json`. */
  toJSON(): object {
    const { code, message, field = null, remedy = null, retry } = this;
    return { code, message, field, remedy, retry };
  }
}

/** An offer or a draft that is not signed. `field` says why. */
export class RefusedError extends AgentError {
  override readonly name = "RefusedError";

  constructor(cause: FieldError) {
    const isUnlisted = cause.field === PAY_TO_FIELD;
    const remedies: Readonly<Record<string, string>> = {
      [AMOUNT_FIELD]: "raise maximumAmount, if it is worth that to you",
      [PAY_TO_FIELD]: "its owner can name it: agent session update --receiver",
    };
    super(
      isUnlisted ? "receiver_not_listed" : "draft_refused",
      `the payment is not what was asked for, so it was not signed: ${cause.message}`,
      { cause, field: cause.field, remedy: remedies[cause.field] },
    );
  }
}

/** No further payment may be signed. */
export class SpendingError extends AgentError {
  override readonly name = "SpendingError";
}

/** No nonce can be used, or the file of nonces can't, so nothing was signed. */
export class NoncesError extends AgentError {
  override readonly name = "NoncesError";

  constructor(message: string, details?: Details) {
    super("nonces", message, details);
  }
}

/** The journal can't be used, so nothing was signed. */
export class JournalError extends AgentError {
  override readonly name = "JournalError";

  constructor(message: string, details?: Details) {
    super("journal_file", message, details);
  }
}

/** The session authorizes nothing any more. */
export class SessionExpiredError extends AgentError {
  override readonly name = "SessionExpiredError";

  constructor(expiresAt: number) {
    super("session_expired", `the session expired at ${new Date(expiresAt * 1000).toISOString()}; nothing was signed`, {
      field: "session",
      remedy: "its owner can extend it: agent session update --expires 30d",
    });
  }
}

/** The caller's key belongs to a purchase that may still be paid, or was, or to none. Nothing was signed. */
export class KeyUsedError extends AgentError {
  override readonly name = "KeyUsedError";

  constructor(code: "already_bought" | "key_conflict" | "no_such_key", message: string) {
    super(code, message, { field: "key" });
  }
}

/** The same, and the purchase was begun meanwhile: it can be gone on with. */
export class KeyTakenError extends KeyUsedError {}

/** The request would be sent, or paid, where others can read it. */
export class PlainHttpError extends AgentError {
  override readonly name = "PlainHttpError";

  constructor(message: string, field: "url" | "session") {
    super("plain_http", message, { field, remedy: "use https, or set allowHttp on a safe network" });
  }
}

/** An origin has as many holds as it may have. Nothing was signed. */
export class TooManyHoldsError extends AgentError {
  override readonly name = "TooManyHoldsError";

  /** @param until when the first of them is over at the latest, unix seconds */
  constructor(
    readonly origin: string,
    readonly until: number,
  ) {
    const time = new Date(until * 1000).toISOString();
    super("too_many_holds", `${origin} has two holds that are not over, and no other is opened until ${time}`);
  }
}

/** A voucher may have bought something under a key: the verifier does not say. Nothing was signed. */
export class InDoubtError extends AgentError {
  override readonly name = "InDoubtError";

  constructor(
    readonly paymentId: string,
    verifier: string,
  ) {
    super(
      "in_doubt",
      `the last voucher of payment ${paymentId} may have bought something under a key, and the verifier ${verifier} ` +
        `does not say; nothing was signed. Try again`,
      { retry: true },
    );
  }
}

/** A payment was sent and no answer came: it may settle or not. */
export class NoAnswerError extends AgentError {
  override readonly name = "NoAnswerError";

  /**
   * @param paymentId ask the verifier at `/payments/{id}` before paying again
   * @param amount what was signed for, in base units
   */
  constructor(
    readonly paymentId: string,
    readonly amount: bigint,
    url: string,
    { verifier, decimals }: { readonly verifier: string; readonly decimals: number },
    cause: unknown,
  ) {
    super(
      "unknown",
      `the payment ${paymentId} of ${formatAmount(amount, decimals)} was sent to ${url} and no answer came; before ` +
        `paying again, look it up: ${verifier}/payments/${paymentId}`,
      { cause, remedy: `look it up before paying again: ${verifier}/payments/${paymentId}` },
    );
  }
}
