/** The scheme for `@x402/core`'s resource server, and the shop that sells by it. */

import type { PaymentOption, RoutesConfig } from "@x402/core/http";
import { x402ResourceServer } from "@x402/core/server";
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
import { AUTHORIZATION_FLOW, ESCROW_FLOW, SCHEME } from "../wire.js";
import { checkCommitment, type MerchantConfig, type PriceOptions } from "./config.js";
import type { Facilitator } from "./facilitator.js";
import { current } from "./passing.js";
import { isStreamed } from "./payment.js";
import { parsePrice } from "./price.js";
import type { Requests } from "./request.js";
import { type Merchant, setUp } from "./setup.js";
import { Shop } from "./shop.js";
import { deadlines, standingExtra } from "./terms.js";

type Network = SupportedKind["network"];

/**
 * Sells: by x402's flow `escrow`, with a hold before the handler and a capture or a release after it, or by
 * `authorization`, with a charge after the handler and before its answer leaves.
 */
export class AuthCaptureSvmScheme implements SchemeNetworkServer {
  readonly scheme = SCHEME;
  readonly defaultAssetTransferMethod = "default";
  readonly paymentFlows = { default: { supported: [ESCROW_FLOW, AUTHORIZATION_FLOW], default: ESCROW_FLOW } } as const;
  readonly dynamicExtraFields = ["captureDeadline", "refundDeadline"];
  readonly schemeHooks: SchemeServerHooks = {
    onBeforeVerify: async (context) => {
      const result = await this.#merchant.counter.verify(context);
      return result === undefined ? undefined : { skip: true, result };
    },
    // Core would settle the client's payload in every phase, and warn and go on if this threw.
    onBeforeSettle: async (context) => ({ skip: true, result: await this.#merchant.counter.settle(context) }),
  };
  readonly #merchant: Merchant;

  private constructor(merchant: Merchant) {
    this.#merchant = merchant;
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
  price(price: Price, { commitment, hold, held = hold !== undefined, identified }: PriceOptions = {}): PaymentOption {
    checkCommitment(commitment, "commitment");
    const { amount } = parsePrice(price, this.#merchant.token);
    if (hold !== undefined && BigInt(parsePrice(hold, this.#merchant.token).amount) < BigInt(amount)) {
      throw new TypeError(`hold: ${JSON.stringify(hold)} does not pay for one request`);
    }
    if (hold !== undefined && !held) {
      throw new TypeError("held: a price is charged at once or streamed, not both: a charge holds nothing");
    }
    const extra = {
      ...(held ? {} : { paymentFlow: AUTHORIZATION_FLOW }),
      ...(identified === undefined ? {} : { [PAYMENT_IDENTIFIER_EXTRA]: identified }),
      ...(commitment === undefined ? {} : { commitment }),
      ...(hold === undefined ? {} : { requestPrice: amount }),
    };
    return { scheme: SCHEME, network: this.network, payTo: this.#merchant.payTo, price: hold ?? price, extra };
  }

  /**
   * Sells routes, for the adapter of a framework. Where a route takes ids of purchases, a repeat of a
   * paid request, equal in id, payment, method, URL and body, is answered as before without running
   * the handler: for an hour, the last 1,024 answers of up to 64 KiB each, in memory.
   *
   * @param routes by method and whole path, as `"GET /report"`
   * @param register adds other schemes that routes take
   * @throws if a route can't be sold as it says
   */
  shop(routes: RoutesConfig, register: (server: x402ResourceServer) => void = () => {}): Promise<Shop> {
    const server = new x402ResourceServer(this.facilitator).register(this.network, this);
    register(server);
    return Shop.open(this.#merchant, server, routes);
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
    const standing = standingExtra(support.deployment, authorizer, requirements);
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
