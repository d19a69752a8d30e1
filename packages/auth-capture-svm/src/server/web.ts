/** Responses of `fetch`, which every framework's are made of and into. */

import type { HTTPResponseInstructions } from "@x402/core/http";

import type { Problem } from "./passing.js";

/** Statuses whose responses have no body. */
const EMPTY = [101, 204, 205, 304];

/** @throws {RangeError} if the status is none of 200 to 599 */
export function responseOf(status: number, headers: Headers, body: Uint8Array<ArrayBuffer>): Response {
  return new Response(EMPTY.includes(status) ? null : body, { status, headers });
}

/** What is answered with an error instead of a 402. */
export function problemResponse({ status, code, message }: Problem): Response {
  return Response.json({ error: { code, message } }, { status, headers: { "cache-control": "no-store" } });
}

/** An answer of `@x402/core`. */
export function instructed({ status, headers, body }: HTTPResponseInstructions): Response {
  const isText = typeof body === "string";
  return new Response(isText ? body : JSON.stringify(body ?? {}), { status, headers });
}

/** Longer bodies are not read. */
export class BodyTooLongError extends Error {
  override readonly name = "BodyTooLongError";
}

/** @throws {BodyTooLongError} and reads no further */
export async function readBody(body: AsyncIterable<Uint8Array> | null, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > most) {
      throw new BodyTooLongError(`the body is longer than ${most} bytes`);
    }
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** What a client is told whose body is too long. */
export function tooLong(most: number): Response {
  return problemResponse({ status: 413, code: "body_too_large", message: `the body is longer than ${most} bytes` });
}
