/**
 * What browsers need: pages of other origins may ask and pay, nobody pays for asking whether they
 * may, and a person sees a page.
 */

import { decodePaymentRequiredHeader, decodePaymentResponseHeader } from "@x402/core/http";
import type { PaymentRequired, SettleResponse } from "@x402/core/types";

import { page } from "./page.js";
import type { Token } from "./price.js";
import type { WebRequest } from "./request.js";

/** For how long a browser keeps the answer. */
const PREFLIGHT_SECONDS = 600;

/** The page has no scripts and loads nothing. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

/**
 * The answer to `OPTIONS`: it costs nothing, and never comes from the handler, which would give away
 * what it sells. Any page may ask: it has no cookies here, and without a payment nobody gets anything.
 */
export function preflight(): Response {
  return new Response(null, {
    status: 204,
    headers: {
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "*",
      "access-control-allow-headers": "*",
      "access-control-max-age": String(PREFLIGHT_SECONDS),
    },
  });
}

/** Lets pages of other origins read the answer, unless the server has said who may. */
export function allowPages(headers: Headers): void {
  if (!headers.has("access-control-allow-origin")) {
    headers.set("access-control-allow-origin", "*");
  }
  headers.append("access-control-expose-headers", "PAYMENT-REQUIRED, PAYMENT-RESPONSE");
}

/** What a 402 says. */
export interface Unpaid {
  readonly challenge?: PaymentRequired | undefined;
  readonly refused?: SettleResponse | undefined;
}

export function readUnpaid(headers: Headers): Unpaid {
  const required = headers.get("payment-required");
  const response = headers.get("payment-response");
  return {
    ...(required === null ? {} : { challenge: decodePaymentRequiredHeader(required) }),
    ...(response === null ? {} : { refused: decodePaymentResponseHeader(response) }),
  };
}

/** The 402 as a page, where a person is to be told. */
export function forPerson(
  request: WebRequest,
  answered: Response,
  { challenge, refused }: Unpaid,
  token: Token,
): Response {
  const headers = new Headers(answered.headers);
  headers.append("vary", "accept");
  if (challenge === undefined || !prefersHtml(String(request.headers.accept ?? ""))) {
    return new Response(answered.body, { status: answered.status, headers });
  }
  const html = page(challenge, refused, request.method ?? "GET", token);
  headers.delete("content-length");
  headers.set("content-type", "text/html; charset=utf-8");
  headers.set("content-security-policy", POLICY);
  return new Response(html, { status: answered.status, headers });
}

/** Whether a page is wanted rather than JSON: both may be in `Accept`, each with a weight. */
export function prefersHtml(accept: string): boolean {
  let [html, json] = [0, 0];
  for (const kind of accept.split(",")) {
    const [name = "", ...parameters] = kind.split(";").map((part) => part.trim());
    const weight = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
    const weighs = weight === undefined ? 1 : Number.parseFloat(weight) || 0;
    html = name.toLowerCase() === "text/html" ? weighs : html;
    json = name.toLowerCase() === "application/json" ? weighs : json;
  }
  return html > json;
}
