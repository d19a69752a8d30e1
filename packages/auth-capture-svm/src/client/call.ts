/** The request that is to be paid for. */

import { sha256 } from "@noble/hashes/sha2.js";

import { resourceHashOfDigest } from "../messages.js";
import { isPrivate } from "../url.js";
import { PlainHttpError } from "./errors.js";

/** A request, read whole, that can be sent more than once. */
export class Call {
  /** Absolute, without fragment. */
  readonly url: string;
  readonly origin: string;
  /** Hash of method, URL and body. */
  readonly resourceHash: Uint8Array;
  readonly #request: Request;

  private constructor(request: Request, url: URL, body: Uint8Array) {
    this.#request = request;
    this.url = url.href;
    this.origin = url.origin;
    this.resourceHash = resourceHashOfDigest(request.method, url.href, sha256(body));
  }

  /**
   * @param allowsHttp whether what others could read and change may be paid for
   * @throws {PlainHttpError} if it would be, and may not
   */
  static async of(input: RequestInfo | URL, init: RequestInit | undefined, allowsHttp: boolean): Promise<Call> {
    const request = new Request(input, init);
    const url = new URL(request.url);
    url.hash = "";
    if (!allowsHttp && !isPrivate(url)) {
      throw new PlainHttpError(
        `${url.origin}: anybody in between could change the receiver; use https, or set allowHttp`,
        "url",
      );
    }
    return new Call(request, url, new Uint8Array(await request.clone().arrayBuffer()));
  }

  /** By which the caller gives up. */
  get signal(): AbortSignal {
    return this.#request.signal;
  }

  /** Whether somebody else pays for it. */
  get isPaid(): boolean {
    const { headers } = this.#request;
    return headers.has("payment-signature") || headers.has("x-payment");
  }

  /** The request, with a payment if there is one. Redirects are not followed: a payment is for one URL. */
  request(payment?: string): Request {
    const headers = new Headers(this.#request.headers);
    if (payment !== undefined) {
      headers.set("payment-signature", payment);
    }
    const redirect = this.#request.redirect === "error" ? "error" : "manual";
    return new Request(this.#request.clone(), { redirect, headers });
  }
}
