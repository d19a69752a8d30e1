/**
 * Purchases that have an id: a client whose answer got lost sends the same payment again, and is answered as before,
 * without the handler.
 */

import { createHash } from "node:crypto";
import type { PaymentPayload } from "@x402/core/types";

import { FieldError } from "../fields.js";
import { PAYMENT_IDENTIFIER, PAYMENT_IDENTIFIER_EXTRA, readIdentifier } from "../payment_identifier.js";
import { INVALID_PAYLOAD } from "../reasons.js";
import { Answered, record, replay } from "./answered.js";
import { isSuccess, type Passing } from "./passing.js";
import { problemResponse } from "./web.js";
import type { Requests, WebRequest } from "./request.js";

export class Repeats {
  readonly #requests: Requests;
  readonly #answered = new Answered();
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(requests: Requests) {
    this.#requests = requests;
  }

  /** Has `sell` answer a request, unless it is a repeat that was answered before. */
  async answer(passing: Passing, sell: () => Promise<Response>): Promise<Response> {
    let purchase: string | undefined;
    try {
      purchase = this.#purchaseOf(passing.request);
    } catch (error) {
      if (error instanceof FieldError) {
        const message = `payment-signature: ${error.message}`;
        return problemResponse({ status: 400, code: INVALID_PAYLOAD, message });
      }
      throw error;
    }
    return purchase === undefined ? sell() : this.#once(purchase, passing, sell);
  }

  async #once(purchase: string, passing: Passing, sell: () => Promise<Response>): Promise<Response> {
    // A repeat may come while the first is being served.
    while (this.#underWay.has(purchase)) {
      await this.#underWay.get(purchase);
    }
    const known = this.#answered.get(purchase);
    if (known !== undefined) {
      return replay(known);
    }
    let end = (): void => {};
    this.#underWay.set(purchase, new Promise((resolve) => (end = resolve)));
    try {
      const response = await sell();
      if (passing.isPaid && isSuccess(response.status)) {
        const answer = await record(response.clone());
        if (answer !== undefined) {
          this.#answered.add(purchase, answer);
        }
      }
      return response;
    } finally {
      this.#underWay.delete(purchase);
      end();
    }
  }

  /**
   * What a purchase is known by: hash of its id, the payment and the request. `undefined` where there
   * is no id.
   *
   * @throws {FieldError} if the id is malformed, or missing where the offer that the client took
   * needs one
   */
  #purchaseOf(request: WebRequest): string | undefined {
    const payment = paymentOf(request);
    // Of another offer than this route makes the payment middleware takes no payment.
    const offer = payment?.accepted?.extra?.[PAYMENT_IDENTIFIER_EXTRA];
    if (payment === undefined || (offer !== "optional" && offer !== "required")) {
      return undefined;
    }
    const id = readIdentifier(payment.extensions);
    if (id === undefined) {
      if (offer === "required") {
        throw new FieldError(
          `extensions.${PAYMENT_IDENTIFIER}.info.id`,
          "missing: this route sells nothing without it",
        );
      }
      return undefined;
    }
    const asked = JSON.stringify([id, payment.payload, request.method, this.#requests.urlOf(request).href]);
    return createHash("sha256").update(asked).update("\0").update(this.#requests.bodyOf(request)).digest("hex");
  }
}

/** The payment that a request has; `undefined` where the payment middleware can't read it either. */
export function paymentOf({ headers }: WebRequest): Partial<PaymentPayload> | undefined {
  try {
    const text = Buffer.from(String(headers["payment-signature"] ?? ""), "base64").toString();
    return (JSON.parse(text) as Partial<PaymentPayload> | null) ?? undefined;
  } catch {
    return undefined;
  }
}
