/** Answers of others over HTTP. Nobody can fill the memory with a long one. */

import { printable } from "./bytes.js";

/** The longest answer that is read, in bytes. */
const LONGEST_BYTES = 1024 * 1024;

/** An answer, read whole. */
export interface Answer {
  readonly status: number;
  /** `undefined` if it is not JSON. */
  readonly json: unknown;
}

/** How a request is sent. */
export interface Asking {
  /** What sends it. */
  readonly fetch: typeof fetch;
  readonly timeoutMilliseconds: number;
}

/**
 * Asks for JSON: by `POST` if there is a body. Redirects are errors.
 *
 * @throws if no answer comes in time, or it is too long
 */
export async function ask(url: string, body: unknown, { fetch, timeoutMilliseconds }: Asking): Promise<Answer> {
  const posting = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(url, {
    ...(body === undefined ? {} : posting),
    redirect: "error",
    signal: AbortSignal.timeout(timeoutMilliseconds),
  });
  const text = await readText(response);
  try {
    return { status: response.status, json: JSON.parse(text) as unknown };
  } catch {
    return { status: response.status, json: undefined };
  }
}

/** @throws if the body is too long: the rest is not read */
async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > LONGEST_BYTES) {
      throw new Error(`the answer is longer than ${LONGEST_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** The `code` and the printable `message` of an answer that is an error, as far as they are there. */
export function errorOf(json: unknown): { code?: string; message?: string } {
  const { error } = (json ?? {}) as { error?: { code?: unknown; message?: unknown } | null };
  return {
    ...(typeof error?.code === "string" ? { code: error.code } : {}),
    ...(typeof error?.message === "string" ? { message: printable(error.message) } : {}),
  };
}

/** Why asking failed: `fetch` says "fetch failed", and the reason in its cause. */
export function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}
