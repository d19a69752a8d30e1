/** The scheme for `@x402/fetch`. */

import { AsyncLocalStorage } from "node:async_hooks";

import { sha256 } from "@noble/hashes/sha2.js";
import type { PaymentPayloadResult, PaymentRequirements, SchemeNetworkClient } from "@x402/core/types";

import { SCHEME } from "../wire.js";
import { writeBase58, writeHex } from "../bytes.js";
import { sign } from "../ed25519.js";
import { intentDigest, intentSignedBytes, resourceHashOfDigest } from "../messages.js";
import { checkDraft, checkOffer, type Expected } from "./draft.js";
import type { Session } from "./session.js";
import { draftPayload, type PaidRequest } from "./verifier.js";
import { Vouchers } from "./vouchers.js";

/** What an agent may sign for, in base units. */
export interface Limits {
  /** The most for one request. */
  readonly maximumAmount: bigint;
  /**
   * The most for all requests together. Counted in this process: what holds beyond it are the session's limits on
   * chain.
   */
  readonly spendingLimit?: bigint;
}

/** No further payment may be signed. */
export class SpendingError extends Error {
  override readonly name = "SpendingError";
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

/** A request under way, and what was signed for it, or why nothing was. */
interface Sent {
  readonly request: PaidRequest;
  signed?: { paymentId: string; amount: bigint };
  refusal?: unknown;
}

/** Pays out of an escrow, with a session's key and without a Solana node. */
export class AuthCaptureSvmScheme implements SchemeNetworkClient {
  readonly scheme = SCHEME;
  readonly #session: Session;
  readonly #limits: Limits;
  readonly #requests = new AsyncLocalStorage<Sent>();
  /** Signs what is owed on holds whose captures the session key signs. */
  readonly vouchers: Vouchers;
  #signedFor = 0n;

  constructor(session: Session, limits: Limits) {
    this.#session = session;
    this.#limits = limits;
    this.vouchers = new Vouchers(session);
  }

  /** The session's cluster: what to register the scheme for. */
  get network(): Session["network"] {
    return this.#session.network;
  }

  /** All that was signed for, in base units. What is captured may be less. */
  get signedFor(): bigint {
    return this.#signedFor;
  }

  /** For `x402Client.setSpendControls`: the session's token, up to `maximumAmount`. */
  get spendControls(): {
    allowedAssets: { network: Session["network"]; asset: string; maxAmountPerPayment: string }[];
  } {
    const maxAmountPerPayment = this.#limits.maximumAmount.toString();
    return { allowedAssets: [{ network: this.network, asset: this.#session.mint, maxAmountPerPayment }] };
  }

  /**
   * Tells the scheme which request is paid for, so that it signs for that one only. Wraps what
   * `wrapFetchWithPayment` returns. Redirects are not followed: a payment is for one URL.
   */
  wrap(fetchWithPayment: typeof fetch): typeof fetch {
    return async (input, init) => {
      const original = new Request(input, init);
      const body = new Uint8Array(await original.clone().arrayBuffer());
      const url = new URL(original.url);
      url.hash = "";
      const request = { method: original.method, url: url.href, bodySha256: sha256(body) };
      const redirect = original.redirect === "error" ? "error" : "manual";
      const sent: Sent = { request };
      try {
        return await this.#requests.run(sent, () => fetchWithPayment(new Request(original, { redirect })));
      } catch (error) {
        const { signed, refusal } = sent;
        if (signed === undefined || refusal !== undefined) {
          // What @x402/fetch throws has only the refusal's message.
          throw refusal ?? error;
        }
        throw new NoAnswerError(signed.paymentId, signed.amount, url.href, this.#session.verifier, error);
      }
    };
  }

  /** Called by `x402Client`. */
  async createPaymentPayload(x402Version: number, offer: PaymentRequirements): Promise<PaymentPayloadResult> {
    const sent = this.#requests.getStore();
    if (sent === undefined) {
      throw new Error("the request to pay for is not known: call what AuthCaptureSvmScheme.wrap returns");
    }
    try {
      return await this.#pay(x402Version, offer, sent);
    } catch (error) {
      sent.refusal = error;
      throw error;
    }
  }

  async #pay(x402Version: number, offer: PaymentRequirements, sent: Sent): Promise<PaymentPayloadResult> {
    if (sent.signed !== undefined) {
      throw new Error(`the payment ${sent.signed.paymentId} was signed for this request before`);
    }
    if (x402Version !== 2) {
      throw new Error(`x402Version is ${x402Version}, must be 2`);
    }
    checkOffer(offer, this.#expected(sent.request));
    const drafted = await draftPayload(this.#session, sent.request, offer, this.#limits.maximumAmount);
    const intent = checkDraft(offer, drafted, this.#expected(sent.request));
    const signedBytes = intentSignedBytes(intent);
    this.#count(intent.amount);
    const paymentId = writeHex(intentDigest(intent));
    sent.signed = { paymentId, amount: intent.amount };
    this.vouchers.opened(paymentId, intent);
    const signature = sign(this.#session.secretKey, signedBytes);
    // Only what was checked leaves, and not what the verifier may have added.
    const payload = {
      escrow: intent.escrow,
      sessionKey: intent.sessionKey,
      incarnation: this.#session.incarnation,
      nonce: intent.nonce.toString(),
      authorizeBy: Number(intent.authorizeBy),
      signature: writeBase58(signature),
    };
    return { x402Version, payload };
  }

  #expected({ method, url, bodySha256 }: PaidRequest): Expected {
    const now = Math.floor(Date.now() / 1000);
    const { expiresAt } = this.#session;
    if (now > expiresAt) {
      throw new Error(`the session expired at ${new Date(expiresAt * 1000).toISOString()}: ask its owner for another`);
    }
    const resourceHash = resourceHashOfDigest(method, url, bodySha256);
    return { session: this.#session, resourceHash, maximumAmount: this.#limits.maximumAmount, now };
  }

  /** Counts before a signature exists: whoever has one can put it on chain. */
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
