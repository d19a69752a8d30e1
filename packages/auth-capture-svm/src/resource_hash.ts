/** What a payment is bound to: a request, or all that is sold under an origin. */

import { sha256 } from "@noble/hashes/sha2.js";

import { joined } from "./bytes.js";

/**
 * What a payment is bound to: `SHA-256(method ‖ "\n" ‖ url ‖ "\n" ‖ SHA-256(body))`.
 *
 * @param method in upper case
 * @param url absolute, without fragment
 * @param body empty for none
 */
export function resourceHash(method: string, url: string, body: Uint8Array): Uint8Array {
  return resourceHashOfDigest(method, url, sha256(body));
}

/** The same, where only the body's SHA-256 is at hand. */
export function resourceHashOfDigest(method: string, url: string, bodySha256: Uint8Array): Uint8Array {
  return sha256(joined(new TextEncoder().encode(`${method}\n${url}\n`), bodySha256));
}

/**
 * What a streamed hold is bound to: everything that is sold under an origin, as
 * `https://shop.example`.
 */
export function streamResourceHash(origin: string): Uint8Array {
  return resourceHash("*", `${origin}/`, new Uint8Array());
}
