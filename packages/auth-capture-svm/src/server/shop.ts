/** Sells routes: what every framework's adapter calls. */

import {
  encodePaymentResponseHeader,
  FacilitatorResponseError,
  type HTTPRequestContext,
  type RoutesConfig,
  withPrivateCacheControl,
  x402HTTPResourceServer,
} from "@x402/core/http";
import type { x402ResourceServer } from "@x402/core/server";
import type { SettleResponse } from "@x402/core/types";

import { printable } from "../bytes.js";
import { allowPages, forPerson, preflight, readUnpaid, type Unpaid } from "./browser.js";
import { tokens } from "./page.js";
import { isSuccess, pass, type Passing } from "./passing.js";
import { paymentOf, Repeats } from "./repeats.js";
import { INVALID_REQUIREMENTS } from "../reasons.js";
import type { WebRequest } from "./request.js";
import type { Merchant } from "./setup.js";
import { OVERRIDES } from "./taken.js";
import { NOTHING_CHARGED } from "./verdict.js";
import { instructed, problemResponse, responseOf } from "./web.js";

/** What `OPTIONS` without more may be about. */
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "QUERY"];

/** What `@x402/core` made of a payment that it took. */
type Paid = Extract<Awaited<ReturnType<x402HTTPResourceServer["processHTTPRequest"]>>, { type: "payment-verified" }>;

export class Shop {
  readonly #merchant: Merchant;
  readonly #repeats: Repeats;
  readonly #routes: x402HTTPResourceServer;

  private constructor(merchant: Merchant, routes: x402HTTPResourceServer) {
    this.#merchant = merchant;
    this.#repeats = new Repeats(merchant.requests);
    this.#routes = routes;
  }

  /** @throws if a route can't be sold as it says */
  static async open(merchant: Merchant, server: x402ResourceServer, routes: RoutesConfig): Promise<Shop> {
    const priced = new x402HTTPResourceServer(server, routes);
    await priced.initialize();
    return new Shop(merchant, priced);
  }

  /** Returns whether a request is for something that has a price, or asks by `OPTIONS` what may be done with it. */
  sells(request: WebRequest): boolean {
    const context = this.#contextOf(request);
    const { method = "", headers } = request;
    const asked = headers["access-control-request-method"];
    const methods = method !== "OPTIONS" ? [method] : asked === undefined ? METHODS : [asked];
    return methods.some((one) => this.#routes.requiresPayment({ ...context, method: priced(one) }));
  }

  /**
   * Answers a request for what is sold: with the terms, a refusal, or what `serve` answers once it is
   * paid for.
   *
   * @throws what `serve` throws; nothing is paid for it
   */
  async answer(request: WebRequest, serve: () => Promise<Response>): Promise<Response> {
    if (request.method === "OPTIONS") {
      return preflight();
    }
    const passing: Passing = { request, isPaid: false };
    let answered: Response;
    try {
      answered = await pass(passing, () => this.#repeats.answer(passing, () => this.#sell(passing, serve)));
    } finally {
      await this.#merchant.counter.leave(passing);
    }
    const headers = new Headers(answered.headers);
    headers.delete(OVERRIDES);
    allowPages(headers);
    const answer = new Response(answered.body, { status: answered.status, headers });
    const isUnserved = passing.status === undefined || passing.refusal !== undefined;
    return isUnserved && answer.status === 402 ? await this.#unpaid(request, answer) : answer;
  }

  async #sell(passing: Passing, serve: () => Promise<Response>): Promise<Response> {
    const context = this.#contextOf(passing.request);
    try {
      const result = await this.#routes.processHTTPRequest(context);
      switch (result.type) {
        case "no-payment-required":
          return await serve();
        case "payment-error":
          return problemOr(passing, withReceipt(instructed(result.response), passing.refusal));
        case "payment-verified":
          return await this.#serve(passing, context, result, serve);
      }
    } catch (error) {
      if (error instanceof HandlerError) {
        throw error.cause;
      }
      console.error(error);
      return error instanceof FacilitatorResponseError
        ? Response.json({ error: { code: "facilitator_unavailable", message: error.message } }, { status: 502 })
        : problemResponse({ status: 500, code: "internal_error", message: NOTHING_CHARGED });
    }
  }

  async #serve(
    passing: Passing,
    context: HTTPRequestContext,
    paid: Paid,
    serve: () => Promise<Response>,
  ): Promise<Response> {
    const { cancellationDispatcher, paymentPayload, paymentRequirements, declaredExtensions } = paid;
    let served: Response;
    let body: Uint8Array<ArrayBuffer>;
    try {
      served = await serve();
      body = new Uint8Array(await served.arrayBuffer());
    } catch (error) {
      await cancellationDispatcher.cancel({ reason: "handler_threw", error });
      throw new HandlerError("the handler failed", { cause: error });
    }
    passing.status = served.status;
    const headers = new Headers(served.headers);
    const isPrivate = headers.get("cache-control");
    if (!isSuccess(served.status)) {
      const reason = { reason: "handler_failed", responseStatus: served.status } as const;
      const cancelled = await cancellationDispatcher.cancel(reason);
      const { beforeHandlerSettlement: held } = paid;
      const told = this.#routes.createFailurePathSettlementHeaders(cancelled, held, paymentPayload, isPrivate);
      setAll(headers, told ?? {});
      return withReceipt(responseOf(served.status, headers, body), passing.charged?.receipt);
    }
    const settled = await this.#routes.processSettlement(
      paymentPayload,
      paymentRequirements,
      declaredExtensions,
      { request: context, responseBody: Buffer.from(body), responseHeaders: Object.fromEntries(headers) },
      // What was charged before is paid for, whatever the handler would take now.
      passing.charged === undefined ? undefined : {},
      paid.beforeHandlerSettlement,
    );
    if (!settled.success) {
      return problemOr(passing, instructed(settled.response));
    }
    headers.set("cache-control", withPrivateCacheControl(isPrivate));
    if (passing.charged === undefined || passing.charged.receipt !== undefined) {
      setAll(headers, settled.headers);
    }
    return responseOf(served.status, headers, body);
  }

  /** A 402 for a person or a program; why a payment was refused is in the log. */
  async #unpaid(request: WebRequest, answer: Response): Promise<Response> {
    const unpaid = readUnpaid(answer.headers);
    if (request.headers["payment-signature"] === undefined) {
      this.#merchant.requests.compareHost(request);
    } else {
      this.#logRefusal(request, unpaid);
    }
    return forPerson(request, await explained(answer, unpaid), unpaid, this.#merchant.token);
  }

  #logRefusal(request: WebRequest, { challenge, refused }: Unpaid): void {
    const { href } = this.#merchant.requests.urlOf(request);
    const { code, message } = reasonOf({ challenge, refused });
    const accepted = paymentOf(request)?.accepted;
    const isAmount = /^[0-9]{1,20}$/.test(String(accepted?.amount));
    const paid =
      accepted !== undefined && isAmount ? tokens(BigInt(accepted.amount), accepted, this.#merchant.token) : "";
    console.warn(printable(`${request.method} ${href}: a payment of ${paid} was refused: ${code}: ${message}`));
  }

  #contextOf(request: WebRequest): HTTPRequestContext {
    const { headers, method = "GET" } = request;
    const url = this.#merchant.requests.urlOf(request);
    const path = pathOf(request.originalUrl ?? request.url ?? "/");
    const header = (name: string): string | undefined => {
      const value = headers[name.toLowerCase()];
      return Array.isArray(value) ? value[0] : value;
    };
    return {
      adapter: {
        getHeader: header,
        getMethod: () => method,
        getPath: () => path,
        getUrl: () => url.href,
        // Pages are made here, and not by the core.
        getAcceptHeader: () => "",
        getUserAgent: () => "",
        getQueryParams: () => Object.fromEntries(url.searchParams),
        getQueryParam: (name) => url.searchParams.get(name) ?? undefined,
        getBody: () => request.body,
      },
      path,
      decodedPath: decoded(path),
      method: priced(method),
      ...(header("payment-signature") === undefined ? {} : { paymentHeader: header("payment-signature") }),
    } as HTTPRequestContext;
  }
}

function reasonOf({ challenge, refused }: Unpaid): { code: string; message: string } {
  return {
    code: refused?.errorReason ?? INVALID_REQUIREMENTS,
    message: refused?.errorMessage ?? challenge?.error ?? "no more is known",
  };
}

/** An answer whose body says what its headers say, unless the route has another body. */
async function explained(answer: Response, unpaid: Unpaid): Promise<Response> {
  const text = await answer.text();
  const said = unpaid.challenge ?? { error: reasonOf(unpaid) };
  const { status, headers } = answer;
  return new Response(text === "{}" ? JSON.stringify(said) : text, { status, headers });
}

/** The path as it was written: what makes two slashes one is for the core, which knows what frameworks do. */
function pathOf(target: string): string {
  return target.startsWith("/") ? (target.split(/[?#]/, 1)[0] as string) : new URL(target, "http://any").pathname;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Frameworks answer HEAD with the handler of GET, and so it costs the same. */
function priced(method: string): string {
  return method === "HEAD" ? "GET" : method;
}

/** A handler that threw. */
class HandlerError extends Error {}

function problemOr({ problem }: Passing, response: Response): Response {
  return problem === undefined ? response : problemResponse(problem);
}

/** An answer that says what became of a payment, if anything did. */
function withReceipt(answer: Response, receipt: SettleResponse | undefined): Response {
  if (receipt !== undefined) {
    answer.headers.set("payment-response", encodePaymentResponseHeader(receipt));
    answer.headers.set("cache-control", withPrivateCacheControl(answer.headers.get("cache-control")));
  }
  return answer;
}

function setAll(headers: Headers, more: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(more)) {
    headers.set(name, value);
  }
}
