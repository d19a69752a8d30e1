/** The request that a challenge is bound to: its method, its URL and the bytes of its body. */

import type { IncomingMessage } from "node:http";

import { printable } from "../bytes.js";
import { resourceHash, streamResourceHash } from "../messages.js";
import { readBaseUrl } from "../url.js";

/** How many hosts that are not the public URL's are warned of: anybody can ask for any. */
const MOST_HOSTS = 3;

/** In place of a public URL: the scheme and the name that each request has. */
export const HOST = "host";

/** A request as Express has it, as far as it is read. */
export type WebRequest = Pick<IncomingMessage, "headers" | "method" | "url"> & {
  body?: unknown;
  originalUrl?: string;
  protocol?: string;
};

/** Knows what was asked for, as the client knows it. */
export class Requests {
  /** `undefined` where each request's `Host` header is believed. */
  readonly #base: string | undefined;
  readonly #otherHosts = new Set<string>();
  readonly #bodies = new WeakMap<object, Uint8Array>();

  /**
   * @param publicUrl the base URL under which clients reach the routes, or `HOST`
   * @throws if it is neither
   */
  constructor(publicUrl: string) {
    this.#base = publicUrl === HOST ? undefined : readBaseUrl(publicUrl, "publicUrl");
  }

  /** Keeps the bytes of a body that is parsed: `express.json({ verify: keepBody })`. */
  readonly keepBody = (request: IncomingMessage, _response: unknown, body: Uint8Array): void => {
    // What was compressed has come in other bytes.
    if ((request.headers["content-encoding"] ?? "identity") === "identity") {
      this.#bodies.set(request, body);
    }
  };

  /** The URL as clients know it, without a fragment. */
  urlOf(request: WebRequest): URL {
    const { originalUrl, url = "", protocol, headers } = request;
    const target = originalUrl ?? url;
    const base = this.#base ?? `${protocol ?? "http"}://${headers.host}`;
    // A client may send a whole URL, of any host.
    const { pathname, search } = target.startsWith("/") ? new URL(`${base}${target}`) : new URL(target, base);
    return new URL(`${new URL(base).origin}${pathname}${search}`);
  }

  /** Warns if clients ask for another host than the public URL's: they can't pay there. */
  compareHost({ headers }: WebRequest): void {
    const host = headers.host?.toLowerCase();
    const isOther = this.#base !== undefined && host !== undefined && host !== new URL(this.#base).host;
    if (isOther && this.#otherHosts.size < MOST_HOSTS && !this.#otherHosts.has(host)) {
      this.#otherHosts.add(host);
      console.warn(
        `a request came for ${printable(host)}, and publicUrl is ${this.#base}: clients that ask for ${printable(host)} ` +
          `are told terms for another URL and can't pay. If they should, set publicUrl to what they ask for; behind a ` +
          `proxy that changes the host, ignore this`,
      );
    }
  }

  /**
   * The resource hash. A streamed hold pays for many requests, and is bound to the URL's origin.
   *
   * @throws if the body's bytes are not known
   */
  hashOf(request: WebRequest, isStreamed: boolean): Uint8Array {
    const url = this.urlOf(request);
    return isStreamed
      ? streamResourceHash(url.origin)
      : resourceHash(request.method ?? "", url.href, this.bodyOf(request));
  }

  /** @throws if the body's bytes are not known */
  bodyOf(request: WebRequest): Uint8Array {
    const { body, headers } = request;
    const bytes = this.#bodies.get(request) ?? body;
    if (bytes instanceof Uint8Array) {
      return bytes;
    }
    if (/^0*$/.test(headers["content-length"] ?? "0") && headers["transfer-encoding"] === undefined) {
      return new Uint8Array();
    }
    throw new Error(
      "a payment is bound to the body's bytes: before the payment middleware, put " +
        "app.use(express.json({ verify: scheme.keepBody })), and the same for other kinds of bodies",
    );
  }
}
