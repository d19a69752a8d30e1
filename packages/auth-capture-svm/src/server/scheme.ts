/** The scheme for `@x402/core`'s resource server, and so for `@x402/express`. */

import type { ServerResponse } from "node:http";

import type { PaymentOption } from "@x402/core/http";
import type {
  AssetAmount,
  PaymentRequirements,
  Price,
  SchemeNetworkServer,
  SchemePaymentRequiredContext,
  SchemeServerHooks,
  SupportedKind,
  VerifiedPaymentCanceledContext,
} from "@x402/core/types";

import { writeHex } from "../bytes.js";
import { identifierDeclaration, PAYMENT_IDENTIFIER, PAYMENT_IDENTIFIER_EXTRA } from "../payment_identifier.js";
import { SCHEME } from "../wire.js";
import { checkCommitment, type MerchantConfig, type PriceOptions } from "./config.js";
import type { Facilitator } from "./facilitator.js";
import { current, type Middleware, pass, type Passing } from "./passing.js";
import { isStreamed } from "./payment.js";
import { parsePrice } from "./price.js";
import { Repeats } from "./repeats.js";
import type { Requests, WebRequest } from "./request.js";
import { type Merchant, setUp } from "./setup.js";
import { deadlines, standingExtra } from "./terms.js";

type Network = SupportedKind["network"];

/**
 * Sells: x402's flow `escrow`, with a hold before the handler and a capture or a release after it.
 */
export class AuthCaptureSvmScheme implements SchemeNetworkServer {
  readonly scheme = SCHEME;
  readonly defaultAssetTransferMethod = "default";
  readonly paymentFlows = { default: { supported: ["escrow"], default: "escrow" } } as const;
  readonly dynamicExtraFields = ["captureDeadline", "refundDeadline"];
  readonly schemeHooks: SchemeServerHooks = {
    // Core would settle the client's payload in every phase, and warn and go on if this threw.
    onBeforeSettle: async (context) => ({ skip: true, result: await this.#merchant.counter.settle(context) }),
  };
  readonly #merchant: Merchant;
  readonly #repeats: Repeats;

  private constructor(merchant: Merchant) {
    this.#merchant = merchant;
    this.#repeats = new Repeats(merchant.requests);
  }

  /**
   * Checks the settings, asks the facilitator for its cluster, and ends what an earlier run left open
   * in the background.
   *
   * @throws if a setting is wrong, the facilitator doesn't answer or doesn't settle for the
   * merchant's program, or the folder can't be used
   */
  static async connect(config: MerchantConfig): Promise<AuthCaptureSvmScheme> {
    return new AuthCaptureSvmScheme(await setUp(config));
  }

  /** What `x402ResourceServer` gets. */
  get facilitator(): Facilitator {
    return this.#merchant.facilitator;
  }

  /** For parsers of bodies, so that payments can be bound to them: `express.json({ verify: scheme.keepBody })`. */
  get keepBody(): Requests["keepBody"] {
    return this.#merchant.requests.keepBody;
  }

  /** The facilitator's cluster: what to register the scheme for. */
  get network(): Network {
    return this.#merchant.support.deployment.network;
  }

  /**
   * A way to pay `price`, for a route's `accepts`.
   *
   * @throws if the price can't be read, or an option is wrong
   */
  price(price: Price, { commitment, hold, identified }: PriceOptions = {}): PaymentOption {
    checkCommitment(commitment, "commitment");
    const { amount } = parsePrice(price, this.#merchant.token);
    if (hold !== undefined && BigInt(parsePrice(hold, this.#merchant.token).amount) < BigInt(amount)) {
      throw new TypeError(`hold: ${JSON.stringify(hold)} does not pay for one request`);
    }
    const extra = {
      ...(identified === undefined ? {} : { [PAYMENT_IDENTIFIER_EXTRA]: identified }),
      ...(commitment === undefined ? {} : { commitment }),
      ...(hold === undefined ? {} : { requestPrice: amount }),
    };
    return { scheme: SCHEME, network: this.network, payTo: this.#merchant.payTo, price: hold ?? price, extra };
  }

  /**
   * Goes around what `paymentMiddleware` returns; without it nothing is sold. Where a route takes ids
   * of purchases, a repeat of a paid request, equal in id, payment, method, URL and body, is answered
   * as before without running the handler: for an hour, the last 1,024 answers of up to 64 KiB each,
   * in memory.
   */
  wrap<Request extends WebRequest, Response extends ServerResponse>(
    middleware: Middleware<Request, Response>,
  ): Middleware<Request, Response> {
    return async (request, response, next) => {
      const passing: Passing = { request, response, isPaid: false };
      try {
        await pass(passing, () => this.#repeats.answer(passing, () => middleware(request, response, next)));
      } finally {
        await this.#merchant.counter.leave(passing);
      }
    };
  }

  /**
   * Settles what earlier requests, or an earlier run, left over. Done in the background every few
   * seconds too.
   */
  settleLeftOver(): Promise<void> {
    return this.#merchant.endings.settleLeftOver();
  }

  /**
   * Captures what streamed holds have paid and releases the rest of them, now. For when the server
   * stops.
   */
  closeStreams(): Promise<void> {
    return this.#merchant.endings.closeStreams();
  }

  /** Stops settling in the background, and lets another merchant use the folder. */
  close(): void {
    this.#merchant.close();
  }

  parsePrice(price: Price): Promise<AssetAmount> {
    return Promise.resolve(parsePrice(price, this.#merchant.token));
  }

  getAssetDecimals(asset: string): number | undefined {
    return asset === this.#merchant.token.mint ? this.#merchant.token.decimals : undefined;
  }

  validateFacilitatorSupport(_network: Network, { extra }: SupportedKind): string | undefined {
    const { program } = this.#merchant.support.deployment;
    return extra?.["program"] === program ? undefined : `the facilitator's program is not ${program}`;
  }

  enhancePaymentRequirements(requirements: PaymentRequirements): Promise<PaymentRequirements> {
    const { support, authorizer, windows } = this.#merchant;
    const standing = standingExtra(support.deployment, authorizer, isStreamed(requirements));
    const dated = deadlines(Math.floor(Date.now() / 1000), windows);
    return Promise.resolve({ ...requirements, extra: { ...requirements.extra, ...standing, ...dated } });
  }

  /** Binds the challenge to the request, and says whether purchases may or must have ids. */
  enrichPaymentRequiredResponse(context: SchemePaymentRequiredContext): Promise<PaymentRequirements[]> {
    const isOurs = ({ scheme, network }: PaymentRequirements): boolean => scheme === SCHEME && network === this.network;
    const ours = context.requirements.filter(isOurs);
    if (ours.length === 0) {
      return Promise.resolve(context.requirements);
    }
    const { request } = current();
    const { paymentRequiredResponse: challenge } = context;
    challenge.resource = { ...challenge.resource, url: this.#merchant.requests.urlOf(request).href };
    if (ours.some(isIdentified)) {
      const needsId = ({ extra }: PaymentRequirements): boolean => extra[PAYMENT_IDENTIFIER_EXTRA] === "required";
      const declaration = identifierDeclaration(ours.every(needsId) ? "required" : "optional");
      challenge.extensions = { ...challenge.extensions, [PAYMENT_IDENTIFIER]: declaration };
    }
    const bound = (requirements: PaymentRequirements): PaymentRequirements => {
      const resourceHash = writeHex(this.#merchant.requests.hashOf(request, isStreamed(requirements)));
      return { ...requirements, extra: { ...requirements.extra, resourceHash } };
    };
    return Promise.resolve(context.requirements.map((one) => (isOurs(one) ? bound(one) : one)));
  }

  /** A handler that failed is not paid for: the hold is released, or the voucher may pay for another request. */
  settleOnCancel({ requirements }: VerifiedPaymentCanceledContext): PaymentRequirements {
    return requirements as PaymentRequirements;
  }
}

function isIdentified({ extra }: PaymentRequirements): boolean {
  return extra[PAYMENT_IDENTIFIER_EXTRA] !== undefined;
}
