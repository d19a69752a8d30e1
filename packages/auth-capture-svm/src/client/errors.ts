/** Why an agent did not pay, or does not know whether it did. */

/** No further payment may be signed. */
export class SpendingError extends Error {
  override readonly name = "SpendingError";
}

/** No nonce can be used, or the file of nonces can't, so nothing was signed. */
export class NoncesError extends Error {
  override readonly name = "NoncesError";
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
