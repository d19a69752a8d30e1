/** The scheme for `@x402/fetch`. */

import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout } from "node:timers/promises";

import { sha256 } from "@noble/hashes/sha2.js";
import type {
  PaymentPayloadContext,
  PaymentPayloadResult,
  PaymentRequirements,
  SchemeClientHooks,
  SchemeNetworkClient,
} from "@x402/core/types";

import { isSettled, readRequestPrice, refusalReason, SCHEME } from "../wire.js";
import { identifierExtension, takesIdentifiers } from "../payment_identifier.js";
import { checkOffer, type Expected } from "./draft.js";
import { NoAnswerError } from "./errors.js";
import { sendUntilAnswered } from "./resend.js";
import type { Session } from "./session.js";
import { type Limits, type SignedIntent, Signer } from "./signer.js";
import { type Stream, Streams, signVoucher } from "./streams.js";
import type { PaidRequest } from "./verifier.js";

/** How often a request is sent with a payment out of a streamed hold. */
const MAXIMUM_ATTEMPTS = 3;

/** A request under way, and what was signed for it, or why nothing was. */
interface Sent {
  readonly request: PaidRequest;
  signed?: { paymentId: string; amount: bigint };
  refusal?: unknown;
  /** What the purchase is called, where the server takes ids. */
  id?: string;
  /** The header that pays for it, as it was sent. */
  payment?: string;
  /** Where the request is paid out of a streamed hold. */
  streamed?: { key: string; stream?: Stream; endTurn: () => void };
}

/** Pays out of an escrow, with a session's key and without a Solana node. */
export class AuthCaptureSvmScheme implements SchemeNetworkClient {
  readonly scheme = SCHEME;
  readonly schemeHooks: SchemeClientHooks = {
    onAfterPaymentCreation: ({ paymentPayload }) => {
      const sent = this.#requests.getStore();
      if (sent?.id !== undefined) {
        sent.payment = Buffer.from(JSON.stringify(paymentPayload)).toString("base64");
      }
      return Promise.resolve();
    },
  };
  readonly #session: Session;
  readonly #limits: Limits;
  readonly #signer: Signer;
  readonly #requests = new AsyncLocalStorage<Sent>();
  readonly #streams = new Streams();

  constructor(session: Session, limits: Limits) {
    this.#session = session;
    this.#limits = limits;
    this.#signer = new Signer(session, limits);
  }

  /** The session's cluster: what to register the scheme for. */
  get network(): Session["network"] {
    return this.#session.network;
  }

  /** All that was signed for, in base units. What is captured may be less. */
  get signedFor(): bigint {
    return this.#signer.signedFor;
  }

  /** For `x402Client.setSpendControls`: the session's token, up to `maximumAmount`. */
  get spendControls(): {
    allowedAssets: { network: Session["network"]; asset: string; maxAmountPerPayment: string }[];
  } {
    const { maximumAmount, maximumHold = 0n } = this.#limits;
    const maxAmountPerPayment = (maximumHold > maximumAmount ? maximumHold : maximumAmount).toString();
    return { allowedAssets: [{ network: this.network, asset: this.#session.mint, maxAmountPerPayment }] };
  }

  /**
   * Tells the scheme which request is paid for, so that it signs for that one only. Wraps what
   * `wrapFetchWithPayment` returns. Redirects are not followed: a payment is for one URL. Where the
   * server takes ids of purchases, a payment whose answer got lost is sent again, twice at most,
   * with `fetchAgain`.
   */
  wrap(fetchWithPayment: typeof fetch, fetchAgain: typeof fetch = fetch): typeof fetch {
    return async (input, init) => {
      const original = new Request(input, init);
      const body = new Uint8Array(await original.clone().arrayBuffer());
      const url = new URL(original.url);
      url.hash = "";
      const request = { method: original.method, url: url.href, bodySha256: sha256(body) };
      const redirect = original.redirect === "error" ? "error" : "manual";
      const sendAgain = (payment: string): Promise<Response> => {
        const headers = new Headers(original.headers);
        headers.set("payment-signature", payment);
        return fetchAgain(new Request(original.clone(), { redirect, headers }));
      };
      // A voucher that was in doubt may turn out to be used, and the hold to be over: then another
      // pays. One that came before its hold is final pays later.
      for (let attempt = 1; ; attempt += 1) {
        const sent: Sent = { request };
        const send = (): Promise<Response> => fetchWithPayment(new Request(original.clone(), { redirect }));
        const response = await this.#send(sent, () =>
          sendUntilAnswered(
            send,
            () => (sent.refusal === undefined ? sent.payment : undefined),
            sendAgain,
            original.signal,
          ),
        );
        const pause = this.#pauseBeforeAnother(sent, response);
        if (attempt === MAXIMUM_ATTEMPTS || pause === undefined) {
          return response;
        }
        // Throws if the caller has given up.
        await setTimeout(pause, undefined, { signal: original.signal });
      }
    };
  }

  /** Called by `x402Client`. */
  async createPaymentPayload(
    x402Version: number,
    offer: PaymentRequirements,
    context?: PaymentPayloadContext,
  ): Promise<PaymentPayloadResult> {
    const sent = this.#requests.getStore();
    if (sent === undefined) {
      throw new Error("the request to pay for is not known: call what AuthCaptureSvmScheme.wrap returns");
    }
    try {
      const payment = await this.#pay(x402Version, offer, sent);
      if (sent.signed === undefined || !takesIdentifiers(context?.extensions)) {
        return payment;
      }
      sent.id = purchaseId(sent.signed.paymentId, payment.payload);
      return { ...payment, extensions: identifierExtension(sent.id) };
    } catch (error) {
      sent.refusal = error;
      throw error;
    }
  }

  async #send(sent: Sent, send: () => Promise<Response>): Promise<Response> {
    try {
      const response = await this.#requests.run(sent, send);
      // A voucher is of the same payment; its hold is known where it bought something.
      const mayBeNew = (sent.streamed?.stream?.served ?? 0n) === 0n;
      if (sent.signed !== undefined && mayBeNew && (response.ok || isSettled(response))) {
        await this.#signer.held(sent.signed.paymentId);
      }
      return response;
    } catch (error) {
      const { signed, refusal, request } = sent;
      if (signed === undefined || refusal !== undefined) {
        // What @x402/fetch throws has only the refusal's message.
        throw refusal ?? error;
      }
      throw new NoAnswerError(signed.paymentId, signed.amount, request.url, this.#session.verifier, error);
    } finally {
      sent.streamed?.endTurn();
    }
  }

  /** In milliseconds; `undefined` if the response is to be handed back. */
  #pauseBeforeAnother({ streamed }: Sent, response: Response): number | undefined {
    if (streamed?.stream === undefined) {
      return undefined;
    }
    return this.#streams.answered(streamed.key, streamed.stream, response.status, refusalReason(response));
  }

  async #pay(x402Version: number, offer: PaymentRequirements, sent: Sent): Promise<PaymentPayloadResult> {
    if (sent.signed !== undefined) {
      throw new Error(`the payment ${sent.signed.paymentId} was signed for this request before`);
    }
    if (x402Version !== 2) {
      throw new Error(`x402Version is ${x402Version}, must be 2`);
    }
    const requestPrice = readRequestPrice(offer);
    if (requestPrice !== undefined && this.#limits.maximumHold !== undefined) {
      return { x402Version, payload: await this.#payStreamed(offer, requestPrice, this.#limits.maximumHold, sent) };
    }
    const { payload } = await this.#sign(offer, sent, () => this.#signer.expected(sent.request));
    return { x402Version, payload };
  }

  /** Pays out of an open hold, or opens one: the request that opens it is paid for too. */
  async #payStreamed(offer: PaymentRequirements, price: bigint, maximumHold: bigint, sent: Sent) {
    const expected = (): Expected => this.#signer.expectedStream(sent.request, maximumHold);
    checkOffer(offer, expected());
    const key = `${new URL(sent.request.url).origin} ${offer.payTo}`;
    const streamed: NonNullable<Sent["streamed"]> = { key, endTurn: await this.#streams.turn(key) };
    sent.streamed = streamed;
    const open = this.#streams.next(key, price, expected().now);
    if (open !== undefined) {
      streamed.stream = open;
      sent.signed = { paymentId: open.paymentId, amount: price };
      return signVoucher(this.#session.secretKey, open);
    }
    const { intent, paymentId, payload } = await this.#sign(offer, sent, expected);
    const stream = {
      paymentId,
      hold: intent.amount,
      captureDeadline: Number(intent.captureDeadline),
      signed: price,
      served: 0n,
      isFresh: true,
    };
    streamed.stream = stream;
    this.#streams.open(key, stream);
    return { ...payload, voucher: signVoucher(this.#session.secretKey, stream) };
  }

  async #sign(offer: PaymentRequirements, sent: Sent, expected: () => Expected): Promise<SignedIntent> {
    const signed = await this.#signer.sign(offer, sent.request, expected);
    sent.signed = { paymentId: signed.paymentId, amount: signed.intent.amount };
    return signed;
  }
}

/**
 * What a purchase is called: one intent is one purchase, and so is each voucher that comes without
 * one.
 */
function purchaseId(paymentId: string, { type, amount }: Record<string, unknown>): string {
  return type === "voucher" ? `pay_${paymentId}_${String(amount)}` : `pay_${paymentId}`;
}
