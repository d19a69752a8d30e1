/** The request that a challenge is bound to. */

import type { HTTPTransportContext } from "@x402/core/server";
import type { SchemePaymentRequiredContext } from "@x402/core/types";

import { resourceHash, streamResourceHash } from "../messages.js";

/**
 * The resource hash of a request: its method, the challenge's `resource.url`, and its body. A streamed hold pays for many
 * requests, and is bound to the URL's origin.
 *
 * @throws if the body did not reach the payment middleware as bytes
 */
export function requestHash(
  { resourceInfo, transportContext }: SchemePaymentRequiredContext,
  isStreamed: boolean,
): Uint8Array {
  const request = (transportContext as HTTPTransportContext | undefined)?.request;
  if (request === undefined) {
    throw new Error("the scheme auth-capture binds payments to HTTP requests, and there is none");
  }
  const url = new URL(resourceInfo.url);
  if (isStreamed) {
    return streamResourceHash(url.origin);
  }
  url.hash = "";
  return resourceHash(request.method, url.href, bodyOf(request.adapter));
}

/** @throws if the body did not reach the payment middleware as bytes */
export function bodyOf(adapter: Pick<HTTPTransportContext["request"]["adapter"], "getBody" | "getHeader">): Uint8Array {
  const body = adapter.getBody?.();
  if (body instanceof Uint8Array) {
    return body;
  }
  const length = adapter.getHeader("content-length") ?? "0";
  if (/^0*$/.test(length) && adapter.getHeader("transfer-encoding") === undefined) {
    return new Uint8Array();
  }
  throw new Error(
    "a payment is bound to the body's bytes: before the payment middleware, put " +
      "app.use(express.raw({ type: () => true, inflate: false }))",
  );
}
