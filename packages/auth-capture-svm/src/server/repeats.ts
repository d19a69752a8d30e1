/**
 * Purchases that have an id: a client whose answer got lost sends the same payment again, and is answered as before,
 * without the handler.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

import type { PaymentPayload } from "@x402/core/types";

import { FieldError } from "../fields.js";
import { PAYMENT_IDENTIFIER, PAYMENT_IDENTIFIER_EXTRA, readIdentifier } from "../payment_identifier.js";
import { Answered, record, replay } from "./answered.js";
import { bodyOf } from "./request.js";

/** What `paymentMiddleware` returns. */
export type Middleware<Request, Response> = (
  request: Request,
  response: Response,
  next: (error?: unknown) => void,
) => Promise<void>;

/** What the payment middleware can't answer, since all that it refuses is 402. */
interface Problem {
  readonly status: 400 | 409;
  readonly code: string;
  readonly message: string;
}

/** A request in the payment middleware. */
interface Passing {
  isPaid: boolean;
  problem?: Problem;
}

export class Repeats {
  readonly #passing = new AsyncLocalStorage<Passing>();
  readonly #answered = new Answered();
  readonly #underWay = new Map<string, Promise<void>>();

  /** Whether the request at hand came through what `wrap` returned. */
  get isWrapped(): boolean {
    return this.#passing.getStore() !== undefined;
  }

  /** The request at hand is paid for: what it is answered is kept. */
  paid(): void {
    const passing = this.#passing.getStore();
    if (passing !== undefined) {
      passing.isPaid = true;
    }
  }

  /** The request at hand has the id of another payment. */
  conflicts(): void {
    const passing = this.#passing.getStore();
    if (passing !== undefined) {
      const message = "the id is another payment's; a new purchase needs a new id";
      passing.problem = { status: 409, code: "payment_identifier_conflict", message };
    }
  }

  wrap<Request extends IncomingMessage, Response extends ServerResponse>(
    middleware: Middleware<Request, Response>,
  ): Middleware<Request, Response> {
    return async (request, response, next) => {
      const passing: Passing = { isPaid: false };
      const pass = (): Promise<void> => this.#passing.run(passing, () => middleware(request, response, next));
      let purchase: string | undefined;
      try {
        purchase = purchaseOf(request);
      } catch (error) {
        if (error instanceof FieldError) {
          const message = `payment-signature: ${error.message}`;
          return refuse(response, { status: 400, code: "invalid_payload", message });
        }
        throw error;
      }
      return purchase === undefined ? pass() : this.#once(purchase, passing, response, pass);
    };
  }

  async #once(purchase: string, passing: Passing, response: ServerResponse, pass: () => Promise<void>): Promise<void> {
    // A repeat may come while the first is being served.
    while (this.#underWay.has(purchase)) {
      await this.#underWay.get(purchase);
    }
    const known = this.#answered.get(purchase);
    if (known !== undefined) {
      return replay(response, known);
    }
    let end = (): void => {};
    this.#underWay.set(purchase, new Promise((resolve) => (end = resolve)));
    try {
      replacing(response, passing);
      const recorded = record(response);
      await pass();
      const answer = recorded();
      // Below 400 is what the payment middleware takes money for.
      if (passing.isPaid && answer !== undefined && answer.status < 400) {
        this.#answered.add(purchase, answer);
      }
    } finally {
      this.#underWay.delete(purchase);
      end();
    }
  }
}

/**
 * What a purchase is known by: hash of its id, the payment and the request. `undefined` where there is no id.
 *
 * @throws {FieldError} if the id is malformed, or missing where the offer that the client took needs one
 */
function purchaseOf(request: IncomingMessage & { body?: unknown; originalUrl?: string }): string | undefined {
  const payment = paymentOf(request);
  // Of another offer than this route makes the payment middleware takes no payment.
  const offer = payment?.accepted?.extra?.[PAYMENT_IDENTIFIER_EXTRA];
  if (payment === undefined || (offer !== "optional" && offer !== "required")) {
    return undefined;
  }
  const id = readIdentifier(payment.extensions);
  if (id === undefined) {
    if (offer === "required") {
      throw new FieldError(`extensions.${PAYMENT_IDENTIFIER}.info.id`, "missing: this route sells nothing without it");
    }
    return undefined;
  }
  const { method, headers, originalUrl, url, body } = request;
  const header = (name: string): string | undefined => headers[name] as string | undefined;
  const asked = JSON.stringify([id, payment.payload, method, headers.host, originalUrl ?? url]);
  return createHash("sha256")
    .update(asked)
    .update("\0")
    .update(bodyOf({ getBody: () => body, getHeader: header }))
    .digest("hex");
}

/** The payment that a request has; `undefined` where the payment middleware can't read it either. */
function paymentOf({ headers }: IncomingMessage): Partial<PaymentPayload> | undefined {
  try {
    const text = Buffer.from(String(headers["payment-signature"] ?? ""), "base64").toString();
    return (JSON.parse(text) as Partial<PaymentPayload> | null) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Sends the problem, if there is one by then, instead of the payment middleware's 402. */
function replacing(response: ServerResponse, passing: Passing): void {
  const { end } = response;
  response.end = (...args: unknown[]): typeof response => {
    response.end = end;
    if (passing.problem !== undefined && !response.headersSent) {
      refuse(response, passing.problem);
      return response;
    }
    return end.apply(response, args as Parameters<typeof end>);
  };
}

function refuse(response: ServerResponse, { status, code, message }: Problem): void {
  for (const name of ["payment-required", "payment-response", "etag"]) {
    response.removeHeader(name);
  }
  const body = JSON.stringify({ error: { code, message } });
  response.statusCode = status;
  response.setHeader("content-type", "application/json; charset=utf-8");
  response.setHeader("content-length", Buffer.byteLength(body));
  response.setHeader("cache-control", "no-store");
  response.end(body);
}
