/** What the payment middleware calls: before a handler, after it, and where it failed. */

import type { HTTPTransportContext } from "@x402/core/server";
import type { PaymentPayload, PaymentRequirements, SettleContext, SettleResponse } from "@x402/core/types";

import { shown } from "../bytes.js";
import { FieldError } from "../fields.js";
import { PAYMENT_IDENTIFIER_EXTRA } from "../payment_identifier.js";
import { CONFLICT, INVALID_REQUIREMENTS, SETTLE_ERROR } from "../reasons.js";
import { readRequestPrice } from "../wire.js";
import { current, isSuccess, type Passing } from "./passing.js";
import type { Sale, Till } from "./till.js";
import { checkAccepted, type Windows } from "./terms.js";
import { refused } from "./verdict.js";

/** Response header by which a handler takes less than the price. */
const OVERRIDES = "settlement-overrides";

/** An amount that the payment middleware understands: base units, dollars or a part of the price. */
const OVERRIDE = /^([0-9]+|\$[0-9]+(\.[0-9]+)?|[0-9]+(\.[0-9]{1,2})?%)$/;

export class Counter {
  readonly #till: Till;
  readonly #windows: Windows;
  readonly #onRefusal: (reason: string | undefined) => void;
  readonly #sales = new WeakMap<Passing, Sale>();

  /** @param onRefusal is told why a payment was refused */
  constructor(till: Till, windows: Windows, onRefusal: (reason: string | undefined) => void) {
    this.#till = till;
    this.#windows = windows;
    this.#onRefusal = onRefusal;
  }

  /** Never throws: the payment middleware would go on, and settle what the client sent. */
  async settle({ paymentPayload, requirements, phase, transportContext }: SettleContext): Promise<SettleResponse> {
    // Read only, as core has them: but the facilitator's types don't say so.
    const payment = paymentPayload as PaymentPayload;
    const asked = requirements as PaymentRequirements;
    try {
      if (phase === "before-handler") {
        return await this.#sell(payment, asked);
      }
      const { responseHeaders = {} } = (transportContext ?? {}) as HTTPTransportContext;
      const amount = phase === "cancel" ? 0n : wanted(responseHeaders, asked.amount, BigInt(payment.accepted.amount));
      return await this.#end(current(), amount, asked);
    } catch (error) {
      if (error instanceof FieldError) {
        return refused(asked, INVALID_REQUIREMENTS, error.message);
      }
      console.error("settling failed", error);
      return refused(asked, SETTLE_ERROR, "the server failed");
    }
  }

  /** Ends what a request left open: the payment middleware broke off. */
  async leave(passing: Passing): Promise<void> {
    const sale = this.#sales.get(passing);
    if (sale !== undefined) {
      this.#sales.delete(passing);
      await this.#till.end(sale, 0n);
    }
  }

  /** Has the facilitator hold the amount, or accept the voucher. */
  async #sell(payment: PaymentPayload, asked: PaymentRequirements): Promise<SettleResponse> {
    const passing = current();
    const accepted = checkAccepted(payment, asked, this.#windows, Math.floor(Date.now() / 1000));
    const requestPrice = readRequestPrice(asked);
    const sold = await (requestPrice === undefined
      ? this.#till.hold(accepted)
      : this.#till.accept(accepted, requestPrice));
    if ("refusal" in sold) {
      const { errorReason } = sold.refusal;
      this.#onRefusal(errorReason);
      if (errorReason === CONFLICT) {
        const message = "the id is another payment's; a new purchase needs a new id";
        passing.problem = { status: 409, code: CONFLICT, message };
      }
      return sold.refusal;
    }
    this.#sales.set(passing, sold);
    passing.isPaid = asked.extra[PAYMENT_IDENTIFIER_EXTRA] !== undefined;
    return sold.held;
  }

  /** Only 2xx is paid for. `undefined` as an amount is the handler's mistake: nothing is. */
  async #end(passing: Passing, amount: bigint | undefined, asked: PaymentRequirements): Promise<SettleResponse> {
    const sale = this.#sales.get(passing);
    if (sale === undefined) {
      return refused(asked, SETTLE_ERROR, "nothing was sold to this request");
    }
    this.#sales.delete(passing);
    const isPaid = amount !== undefined && isSuccess(passing.response.statusCode);
    const answer = await this.#till.end(sale, isPaid ? amount : 0n);
    if (amount === undefined || !answer.success) {
      const message = "the server failed; nothing was charged";
      passing.problem = { status: 500, code: "internal_error", message };
      return refused(asked, SETTLE_ERROR, message);
    }
    return answer;
  }
}

/** What a handler takes; `undefined` if that is no amount, or above the price. */
function wanted(headers: Readonly<Record<string, string>>, amount: string, price: bigint): bigint | undefined {
  const [, override] = Object.entries(headers).find(([name]) => name.toLowerCase() === OVERRIDES) ?? [];
  const isGood = override === undefined || OVERRIDE.test(amountOf(override));
  if (isGood && /^[0-9]+$/.test(amount) && BigInt(amount) <= price) {
    return BigInt(amount);
  }
  console.error(`a handler wants ${shown(override)} of ${price} base units: nothing is served, and nothing charged`);
  return undefined;
}

/** As it is written; empty if it is no text. */
function amountOf(override: string): string {
  try {
    const { amount } = (JSON.parse(override) ?? {}) as { amount?: unknown };
    return typeof amount === "string" ? amount : "";
  } catch {
    return "";
  }
}
