/** The scheme for `@x402/core`'s resource server, and so for `@x402/express`. */

import type { IncomingMessage, ServerResponse } from "node:http";

import type { PaymentOption } from "@x402/core/http";
import type {
  AssetAmount,
  PaymentPayload,
  PaymentRequirements,
  Price,
  SchemeNetworkServer,
  SchemePaymentRequiredContext,
  SchemeServerHooks,
  SettleContext,
  SettleResponse,
  SupportedKind,
  VerifiedPaymentCanceledContext,
} from "@x402/core/types";

import { FieldError } from "../fields.js";
import { identifierDeclaration, PAYMENT_IDENTIFIER, PAYMENT_IDENTIFIER_EXTRA } from "../payment_identifier.js";
import { readRequestPrice, SCHEME } from "../wire.js";
import type { Address } from "../bytes.js";
import { writeHex } from "../bytes.js";
import type { MerchantConfig, PriceOptions } from "./config.js";
import { Endings } from "./endings.js";
import { Authorizer } from "./lifecycle.js";
import { isStreamed, paymentIdOf, voucherOf } from "./payment.js";
import { parsePrice, type Token } from "./price.js";
import { Purchases } from "./purchases.js";
import { type Middleware, Repeats } from "./repeats.js";
import { requestHash } from "./request.js";
import { Sales } from "./sales.js";
import { Streams } from "./streams.js";
import { type Deployment, deploymentOf } from "./support.js";
import { checkAccepted, deadlines, standingExtra, type Windows } from "./terms.js";
import { Unsettled } from "./unsettled.js";
import { CONFLICT, refused } from "./verdict.js";

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
    onBeforeSettle: async (context) => ({ skip: true, result: await this.#settle(context) }),
  };
  /** The facilitator's cluster: what to register the scheme for. */
  readonly network: Network;
  readonly #program: Address;
  readonly #token: Token;
  readonly #payTo: Address;
  readonly #authorizer: Authorizer;
  readonly #windows: Windows;
  readonly #purchases = new Purchases();
  readonly #endings: Endings;
  readonly #sales: Sales;
  readonly #streams: Streams;
  readonly #repeats = new Repeats();
  /** What the vouchers of requests under way were answered. */
  readonly #vouched = new WeakMap<object, SettleResponse>();

  private constructor(config: MerchantConfig, { network, program }: Deployment, unsettled: Unsettled) {
    this.network = network;
    this.#program = program;
    this.#token = config.token;
    this.#authorizer = new Authorizer(config.authorizer);
    this.#payTo = config.payTo ?? this.#authorizer.address;
    this.#windows = {
      captureSeconds: config.captureWindowSeconds ?? 3600,
      refundSeconds: config.refundWindowSeconds ?? 0,
    };
    const { facilitator, captureCommitment, streamIdleSeconds = 60 } = config;
    const buying = [facilitator, this.#authorizer, this.#purchases] as const;
    this.#streams = new Streams(...buying, streamIdleSeconds, captureCommitment);
    this.#endings = new Endings(facilitator, unsettled);
    this.#sales = new Sales(...buying, this.#endings, captureCommitment);
  }

  /**
   * Asks the facilitator for its cluster, and settles what an earlier run left unsettled in the
   * background.
   *
   * @throws if the facilitator doesn't answer or doesn't settle for the merchant's program, or the
   * file can't be used
   */
  static async connect(config: MerchantConfig): Promise<AuthCaptureSvmScheme> {
    const deployment = deploymentOf(await config.facilitator.getSupported(), config.program);
    return new AuthCaptureSvmScheme(config, deployment, await Unsettled.open(config.unsettled));
  }

  /** A way to pay `price`, for a route's `accepts`. */
  price(price: Price, { commitment, hold, identified }: PriceOptions = {}): PaymentOption {
    const extra = {
      ...(identified === undefined ? {} : { [PAYMENT_IDENTIFIER_EXTRA]: identified }),
      ...(commitment === undefined ? {} : { commitment }),
      ...(hold === undefined ? {} : { requestPrice: parsePrice(price, this.#token).amount }),
    };
    return { scheme: SCHEME, network: this.network, payTo: this.#payTo, price: hold ?? price, extra };
  }

  /**
   * Takes ids of purchases around what `paymentMiddleware` returns: a repeat of a paid request,
   * equal in id, payment, method, URL and body, is answered as before without running the handler.
   * For an hour, the last 1,024 answers of up to 64 KiB each, in memory.
   */
  wrap<Request extends IncomingMessage, Response extends ServerResponse>(
    middleware: Middleware<Request, Response>,
  ): Middleware<Request, Response> {
    return this.#repeats.wrap(middleware);
  }

  /**
   * Settles what earlier requests, or an earlier run, left over. Done in the background every few
   * seconds too.
   */
  settleLeftOver(): Promise<void> {
    return this.#endings.settleLeftOver();
  }

  /**
   * Captures what streamed holds have paid and releases the rest of them, now. For when the server
   * stops.
   */
  closeStreams(): Promise<void> {
    return this.#streams.close();
  }

  /** Stops settling in the background, and lets another merchant use the file. */
  close(): void {
    this.#streams.stop();
    this.#endings.close();
  }

  parsePrice(price: Price): Promise<AssetAmount> {
    return Promise.resolve(parsePrice(price, this.#token));
  }

  getAssetDecimals(asset: string): number | undefined {
    return asset === this.#token.mint ? this.#token.decimals : undefined;
  }

  validateFacilitatorSupport(_network: Network, { extra }: SupportedKind): string | undefined {
    return extra?.["program"] === this.#program ? undefined : `the facilitator's program is not ${this.#program}`;
  }

  enhancePaymentRequirements(
    requirements: PaymentRequirements,
    { extra }: SupportedKind,
  ): Promise<PaymentRequirements> {
    const standing = standingExtra(extra, this.#authorizer.address, isStreamed(requirements));
    const dated = deadlines(unixSeconds(), this.#windows);
    return Promise.resolve({ ...requirements, extra: { ...requirements.extra, ...standing, ...dated } });
  }

  /** Binds the challenge to the request, and says whether purchases may or must have ids. */
  enrichPaymentRequiredResponse(context: SchemePaymentRequiredContext): Promise<PaymentRequirements[]> {
    const isOurs = ({ scheme, network }: PaymentRequirements): boolean => scheme === SCHEME && network === this.network;
    const ours = context.requirements.filter(isOurs);
    if (ours.some(isIdentified)) {
      if (!this.#repeats.isWrapped) {
        throw new Error("a route takes ids: put app.use(scheme.wrap(paymentMiddleware(routes, server)))");
      }
      const needsId = ({ extra }: PaymentRequirements): boolean => extra[PAYMENT_IDENTIFIER_EXTRA] === "required";
      const declaration = identifierDeclaration(ours.every(needsId) ? "required" : "optional");
      const { paymentRequiredResponse: challenge } = context;
      challenge.extensions = { ...challenge.extensions, [PAYMENT_IDENTIFIER]: declaration };
    }
    return Promise.resolve(
      context.requirements.map((requirements) => {
        if (!isOurs(requirements)) {
          return requirements;
        }
        const resourceHash = writeHex(requestHash(context, isStreamed(requirements)));
        return { ...requirements, extra: { ...requirements.extra, resourceHash } };
      }),
    );
  }

  /**
   * A handler that failed is not paid for: the hold is released, or the voucher may pay for another
   * request.
   */
  settleOnCancel({ paymentPayload, requirements }: VerifiedPaymentCanceledContext): PaymentRequirements | void {
    const payment = paymentPayload as PaymentPayload;
    if (isStreamed(payment.accepted)) {
      this.#purchases.fail(voucherOf(payment));
      return;
    }
    return requirements as PaymentRequirements;
  }

  async #settle({ paymentPayload, requirements, phase }: SettleContext): Promise<SettleResponse> {
    // Read only, as core has them: but the facilitator's types don't say so.
    const payment = paymentPayload as PaymentPayload;
    const asked = requirements as PaymentRequirements;
    try {
      if (phase === "before-handler") {
        const answer = await this.#authorize(payment, asked);
        this.#vouched.set(payment, answer);
        if (answer.errorReason === CONFLICT) {
          this.#repeats.conflicts();
        }
        if (answer.success && isIdentified(asked)) {
          this.#repeats.paid();
        }
        return answer;
      }
      if (isStreamed(payment.accepted)) {
        // Paid before the handler, and captured with what follows.
        return this.#vouched.get(payment) ?? refused(asked, "unexpected_settle_error", "the voucher is not known");
      }
      const amount = phase === "cancel" ? 0n : captureAmount(asked.amount, payment.accepted.amount);
      return await this.#sales.end(paymentIdOf(payment), amount);
    } catch (error) {
      if (error instanceof FieldError) {
        return refused(asked, "invalid_payment_requirements", error.message);
      }
      console.error("settling failed", error);
      return refused(asked, "unexpected_settle_error", "the server failed");
    }
  }

  /** Has the facilitator hold the amount, or keep the voucher. */
  async #authorize(payment: PaymentPayload, asked: PaymentRequirements): Promise<SettleResponse> {
    const accepted = checkAccepted(payment, asked, this.#windows, unixSeconds());
    const requestPrice = readRequestPrice(asked);
    if (requestPrice === undefined) {
      return this.#sales.hold(accepted);
    }
    if (accepted.sessionKey === undefined) {
      return this.#streams.pay(accepted, requestPrice);
    }
    const answer = await this.#sales.holdStreamed(accepted);
    if (answer.success) {
      this.#streams.note(accepted);
    }
    return answer;
  }
}

function isIdentified({ extra }: PaymentRequirements): boolean {
  return extra[PAYMENT_IDENTIFIER_EXTRA] !== undefined;
}

/** What the handler wants, as `setSettlementOverrides` has it; never more than the price. */
function captureAmount(wanted: string, price: string): bigint {
  if (/^[0-9]+$/.test(wanted) && BigInt(wanted) <= BigInt(price)) {
    return BigInt(wanted);
  }
  console.error(`a handler wants ${wanted} of a price of ${price} base units: capturing the price`);
  return BigInt(price);
}

function unixSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
