/** Signs intents: for what the session pins and the request says, each with a nonce of its own. */

import type { PaymentRequirements } from "@x402/core/types";

import { writeBase58, writeHex } from "../bytes.js";
import { sign } from "../ed25519.js";
import { type Intent, intentDigest, intentSignedBytes, resourceHashOfDigest, streamResourceHash } from "../messages.js";
import { checkDraft, checkOffer, type Expected, receiverProof } from "./draft.js";
import { SpendingError } from "./errors.js";
import { SessionNonces, type Taken } from "./nonces.js";
import type { Session } from "./session.js";
import { draftPayload, NoDraftError, NONCE_REFUSED, type PaidRequest } from "./verifier.js";

/** What an agent may sign for, in base units. */
export interface Limits {
  /** The most for one request. */
  readonly maximumAmount: bigint;
  /**
   * The most to hold at once for many requests, each paid by a voucher. Absent: offers of streamed
   * holds are refused. What was signed is kept in this process: another opens a hold of its own.
   */
  readonly maximumHold?: bigint;
  /**
   * The most for all requests together. Counted in this process: what holds beyond it are the
   * session's limits on chain.
   */
  readonly spendingLimit?: bigint;
}

/** An intent, signed. */
export interface SignedIntent {
  readonly intent: Intent;
  /** 64 hex digits. */
  readonly paymentId: string;
  /** Has only what was checked, and not what the verifier may have added. */
  readonly payload: Record<string, unknown>;
}

/** Signs for one session, within limits. */
export class Signer {
  readonly #session: Session;
  readonly #limits: Limits;
  readonly #nonces: SessionNonces;
  #signedFor = 0n;

  constructor(session: Session, limits: Limits) {
    this.#session = session;
    this.#limits = limits;
    this.#nonces = new SessionNonces(session.nonces, session);
  }

  /** All that was signed for, in base units. */
  get signedFor(): bigint {
    return this.#signedFor;
  }

  /**
   * Has the verifier draft an intent for the offer, checks it, counts it as signed for, and signs
   * it.
   */
  async sign(offer: PaymentRequirements, request: PaidRequest, expected: () => Expected): Promise<SignedIntent> {
    checkOffer(offer, expected());
    const proof = receiverProof(offer, this.#session);
    const { taken, drafted } = await this.#draft(offer, request, proof, expected);
    try {
      const intent = checkDraft(offer, drafted, { nonce: taken.nonce, receiverProof: proof }, expected());
      const paymentId = writeHex(intentDigest(intent));
      this.#count(intent.amount);
      await taken.sign(paymentId, Number(intent.authorizeBy));
      return { intent, paymentId, payload: this.#payload(intent, proof) };
    } catch (error) {
      await release(taken);
      throw error;
    }
  }

  /** Notes that a payment is held: its nonce is used for good. */
  async held(paymentId: string): Promise<void> {
    // A failure loses nothing that was bought: a nonce that is tried again is refused and
    // dropped.
    await this.#nonces.held(paymentId).catch(() => undefined);
  }

  /** The facts that an offer for one request must match. */
  expected({ method, url, bodySha256 }: PaidRequest): Expected {
    const resourceHash = resourceHashOfDigest(method, url, bodySha256);
    return { ...this.#pinned(), resourceHash, maximumAmount: this.#limits.maximumAmount };
  }

  /** The facts that an offer of a hold for many requests must match. */
  expectedStream({ url }: PaidRequest, maximumHold: bigint): Expected {
    const resourceHash = streamResourceHash(new URL(url).origin);
    const maximumRequestPrice = this.#limits.maximumAmount;
    return { ...this.#pinned(), resourceHash, maximumAmount: maximumHold, maximumRequestPrice };
  }

  /**
   * Asks with a nonce of our own. One that the verifier says is used is dropped for a higher one,
   * in steps that double, so that few requests pass all that were used elsewhere.
   */
  async #draft(
    offer: PaymentRequirements,
    request: PaidRequest,
    proof: readonly string[],
    expected: () => Expected,
  ): Promise<{ taken: Taken; drafted: unknown }> {
    for (let above = 0n, step = 1n; ; step *= 2n) {
      const taken = await this.#nonces.take(above, expected().now);
      const own = { nonce: taken.nonce, receiverProof: proof };
      try {
        const { maximumAmount } = expected();
        return { taken, drafted: await draftPayload(this.#session, request, offer, maximumAmount, own) };
      } catch (error) {
        if (!(error instanceof NoDraftError && error.code === NONCE_REFUSED)) {
          await release(taken);
          throw error;
        }
        await taken.refuse();
        above = taken.nonce + step - 1n;
      }
    }
  }

  #payload(intent: Intent, proof: readonly string[]): Record<string, unknown> {
    const signature = sign(this.#session.secretKey, intentSignedBytes(intent));
    return {
      escrow: intent.escrow,
      sessionKey: intent.sessionKey,
      incarnation: this.#session.incarnation,
      nonce: intent.nonce.toString(),
      authorizeBy: Number(intent.authorizeBy),
      ...(proof.length === 0 ? {} : { receiverProof: proof }),
      signature: writeBase58(signature),
    };
  }

  #pinned(): { session: Session; now: number } {
    const now = Math.floor(Date.now() / 1000);
    const { expiresAt } = this.#session;
    if (now > expiresAt) {
      throw new Error(`the session expired at ${new Date(expiresAt * 1000).toISOString()}: ask its owner for another`);
    }
    return { session: this.#session, now };
  }

  /** Counts before a signature exists, with which anybody can put it on chain. */
  #count(amount: bigint): void {
    const { spendingLimit } = this.#limits;
    const sum = this.#signedFor + amount;
    if (spendingLimit !== undefined && sum > spendingLimit) {
      const left = spendingLimit - this.#signedFor;
      throw new SpendingError(
        `the spending limit of ${spendingLimit} base units leaves ${left}, and this costs ${amount}`,
      );
    }
    this.#signedFor = sum;
  }
}

/** If this fails, the nonce is free again by itself once its time has passed. */
async function release(taken: Taken): Promise<void> {
  await taken.release().catch(() => undefined);
}
