/** Why an agent did not pay, or does not know whether it did. */

import type { FieldError } from "../fields.js";

/** An offer or a draft that is not signed. `field` says why. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly field: string;

  constructor(cause: FieldError) {
    super(`the payment is not what was asked for, so it was not signed: ${cause.message}`, { cause });
    this.field = cause.field;
  }
}

/** No further payment may be signed. */
export class SpendingError extends Error {
  override readonly name = "SpendingError";
}

/** No nonce can be used, or the file of nonces can't, so nothing was signed. */
export class NoncesError extends Error {
  override readonly name = "NoncesError";
}

/** The journal can't be used, so nothing was signed. */
export class JournalError extends Error {
  override readonly name = "JournalError";
}

/** The caller's key belongs to a purchase that may still be paid, or was. Nothing was signed. */
export class KeyUsedError extends Error {
  override readonly name = "KeyUsedError";
}

/** The request would be sent, or paid, where others can read it. */
export class PlainHttpError extends Error {
  override readonly name = "PlainHttpError";
}

/** An origin has as many holds as it may have. Nothing was signed. */
export class TooManyHoldsError extends Error {
  override readonly name = "TooManyHoldsError";

  /** @param until when the first of them is over at the latest, unix seconds */
  constructor(
    readonly origin: string,
    readonly until: number,
  ) {
    super(
      `${origin} has two holds that are not over, and no other is opened until ${new Date(until * 1000).toISOString()}`,
    );
  }
}

/** A voucher may have bought something under a key: the verifier does not say. Nothing was signed. */
export class InDoubtError extends Error {
  override readonly name = "InDoubtError";

  constructor(
    readonly paymentId: string,
    verifier: string,
  ) {
    super(
      `the last voucher of payment ${paymentId} may have bought something under a key, and the verifier ${verifier} ` +
        `does not say; nothing was signed. Try again`,
    );
  }
}

/** A payment was sent and no answer came: it may settle or not. */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";

  /**
   * @param paymentId ask the verifier at `/payments/{id}` before paying again
   * @param amount what was signed for, in base units
   */
  constructor(
    readonly paymentId: string,
    readonly amount: bigint,
    url: string,
    verifier: string,
    cause: unknown,
  ) {
    super(
      `the payment ${paymentId} of ${amount} base units was sent to ${url} and no answer came; before paying ` +
        `again, look it up: ${verifier}/payments/${paymentId}`,
      { cause },
    );
  }
}
