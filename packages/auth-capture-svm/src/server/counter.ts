/** What the payment middleware calls: before a handler, after it, and where it failed. */

import type { HTTPTransportContext } from "@x402/core/server";
import type {
  PaymentPayload,
  PaymentRequirements,
  SettleContext,
  SettleResponse,
  VerifyContext,
  VerifyResponse,
} from "@x402/core/types";

import { FieldError } from "../fields.js";
import { PAYMENT_IDENTIFIER_EXTRA } from "../payment_identifier.js";
import { CONFLICT, INVALID_REQUIREMENTS, SETTLE_ERROR, SIGNATURE_INVALID } from "../reasons.js";
import { readRequestPrice } from "../wire.js";
import type { Charger, ChargeSale, NotSold } from "./charger.js";
import { current, isSuccess, type Passing } from "./passing.js";
import { isSignedBy } from "./payment.js";
import type { Requests } from "./request.js";
import { taken } from "./taken.js";
import type { Sale, Sold, Till } from "./till.js";
import { type Accepted, checkAccepted, isCharge, type Windows } from "./terms.js";
import { NOTHING_CHARGED, refused } from "./verdict.js";

/** x402's extension by which a server says what it sells. */
const BAZAAR = "bazaar";

/** What a route declares, by extension. */
type Declared = SettleContext["declaredExtensions"];

export class Counter {
  readonly #till: Till;
  readonly #charger: Charger;
  readonly #windows: Windows;
  readonly #requests: Requests;
  readonly #onRefusal: (reason: string | undefined) => void;
  readonly #sales = new WeakMap<Passing, Sale | ChargeSale>();

  /** @param onRefusal is told why a payment was refused */
  constructor(
    till: Till,
    charger: Charger,
    windows: Windows,
    requests: Requests,
    onRefusal: (reason: string | undefined) => void,
  ) {
    this.#till = till;
    this.#charger = charger;
    this.#windows = windows;
    this.#requests = requests;
    this.#onRefusal = onRefusal;
  }

  /**
   * Before the handler of what is charged at once; of what is held, `undefined`: that is settled then. Never throws: the
   * payment middleware would ask the facilitator itself.
   */
  async verify({ paymentPayload, requirements, declaredExtensions }: VerifyContext): Promise<VerifyResponse | undefined> {
    // Read only, as core has them: but the facilitator's types don't say so.
    const payment = paymentPayload as PaymentPayload;
    const asked = requirements as PaymentRequirements;
    if (!isCharge(asked)) {
      return undefined;
    }
    const { success, errorReason = SETTLE_ERROR } = await this.#orRefused(asked, () =>
      this.#sell(payment, asked, declaredExtensions),
    );
    return success ? { isValid: true } : { isValid: false, invalidReason: errorReason };
  }

  /** Never throws: the payment middleware would go on, and settle what the client sent. */
  settle({
    paymentPayload,
    requirements,
    declaredExtensions,
    phase,
    transportContext,
  }: SettleContext): Promise<SettleResponse> {
    const payment = paymentPayload as PaymentPayload;
    const asked = requirements as PaymentRequirements;
    return this.#orRefused(asked, () => {
      if (phase === "before-handler") {
        return this.#sell(payment, asked, declaredExtensions);
      }
      const { responseHeaders = {} } = (transportContext ?? {}) as HTTPTransportContext;
      const price = BigInt(payment.accepted.amount);
      return this.#end(asked, () => (phase === "cancel" ? 0n : taken(responseHeaders, asked.amount, price)));
    });
  }

  /** Ends what a request left open: its handler failed, or the payment middleware broke off. */
  async leave(passing: Passing): Promise<void> {
    const sale = this.#sales.get(passing);
    if (sale !== undefined) {
      this.#sales.delete(passing);
      await ("held" in sale ? this.#till.end(sale, 0n) : this.#charger.end(sale, false, 0n));
    }
  }

  /** Has the facilitator hold the amount, accept the voucher, or say whether it would charge it. */
  async #sell(payment: PaymentPayload, asked: PaymentRequirements, declared: Declared): Promise<SettleResponse> {
    const passing = current();
    const checked = checkAccepted(payment, asked, this.#windows, Math.floor(Date.now() / 1000));
    const accepted = this.#listed(passing, checked, declared);
    const { sessionKey } = accepted;
    // Anyone can send what nobody signed: it is not worth a question to the facilitator, nor a line in the record.
    if (sessionKey !== undefined && !isSignedBy(accepted.payment, sessionKey)) {
      return refused(asked, SIGNATURE_INVALID, "payload.signature: is not the session key's over this intent");
    }
    const sold = await this.#sold(accepted, asked);
    if ("refusal" in sold || "failure" in sold) {
      return this.#notSold(passing, asked, sold);
    }
    this.#sales.set(passing, sold);
    passing.isPaid = asked.extra[PAYMENT_IDENTIFIER_EXTRA] !== undefined;
    if ("held" in sold) {
      return sold.held;
    }
    if (sold.isCharged) {
      passing.charged = { receipt: sold.settled };
    }
    return nothingSaid(asked);
  }

  /**
   * With what the route declares for catalogues, where a payment begins. Of the request the facilitator is told the path,
   * and nothing of the query.
   */
  #listed({ request }: Passing, accepted: Accepted, declared: Declared): Accepted {
    const { payment } = accepted;
    if (declared[BAZAAR] === undefined || payment.payload["type"] === "voucher") {
      return accepted;
    }
    const { origin, pathname } = this.#requests.urlOf(request);
    const extensions = { ...payment.extensions, [BAZAAR]: declared[BAZAAR] };
    return { ...accepted, payment: { ...payment, resource: { url: `${origin}${pathname}` }, extensions } };
  }

  #sold(accepted: Accepted, asked: PaymentRequirements): Promise<Sold | ChargeSale | NotSold> {
    if (isCharge(asked)) {
      return this.#charger.begin(accepted);
    }
    const requestPrice = readRequestPrice(asked);
    return requestPrice === undefined ? this.#till.hold(accepted) : this.#till.accept(accepted, requestPrice);
  }

  /** Only 2xx is paid for. `undefined` as an amount is the handler's mistake: nothing is. */
  async #end(asked: PaymentRequirements, amountOf: () => bigint | undefined): Promise<SettleResponse> {
    const passing = current();
    const sale = this.#sales.get(passing);
    if (sale === undefined) {
      return refused(asked, SETTLE_ERROR, "nothing was sold to this request");
    }
    this.#sales.delete(passing);
    const isServed = isSuccess(passing.status);
    const isCharged = "isCharged" in sale && sale.isCharged;
    const amount = isCharged ? 0n : amountOf();
    const takes = isServed ? (amount ?? 0n) : 0n;
    const ended = await ("held" in sale ? this.#till.end(sale, takes) : this.#charger.end(sale, isServed, takes));
    if ("refusal" in ended || "failure" in ended) {
      return this.#notSold(passing, asked, ended);
    }
    const answer = "settled" in ended ? (ended.settled ?? nothingSaid(asked)) : ended;
    if (amount === undefined || !answer.success) {
      return this.#notSold(passing, asked, { failure: NOTHING_CHARGED });
    }
    if ("settled" in ended) {
      passing.charged = { receipt: ended.settled };
    }
    return answer;
  }

  /** What the payment middleware is told, and what the client is instead where it is no 402. */
  #notSold(passing: Passing, asked: PaymentRequirements, sold: NotSold): SettleResponse {
    if ("failure" in sold) {
      passing.problem = { status: 500, code: "internal_error", message: sold.failure };
      return refused(asked, SETTLE_ERROR, sold.failure);
    }
    const { errorReason } = sold.refusal;
    this.#onRefusal(errorReason);
    if (errorReason === CONFLICT) {
      const message = "the id is another payment's; a new purchase needs a new id";
      passing.problem = { status: 409, code: CONFLICT, message };
    }
    return sold.refusal;
  }

  async #orRefused(asked: PaymentRequirements, work: () => Promise<SettleResponse>): Promise<SettleResponse> {
    let answer: SettleResponse;
    try {
      answer = await work();
    } catch (error) {
      if (!(error instanceof FieldError)) {
        console.error("settling failed", error);
      }
      answer =
        error instanceof FieldError
          ? refused(asked, INVALID_REQUIREMENTS, error.message)
          : refused(asked, SETTLE_ERROR, "the server failed");
    }
    if (!answer.success && isCharge(asked)) {
      current().refusal = answer;
    }
    return answer;
  }
}

/** What the payment middleware goes on with where the facilitator has said nothing. */
function nothingSaid({ network }: PaymentRequirements): SettleResponse {
  return { success: true, transaction: "", network };
}
