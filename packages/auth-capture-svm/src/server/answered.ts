/**
 * What was answered to purchases that have an id. In memory: after a restart a repeat is refused, and nothing is paid
 * twice.
 */

import type { OutgoingHttpHeaders, ServerResponse } from "node:http";

/** For how long an answer is kept. */
const KEPT_MILLISECONDS = 3_600_000;

/** How many are kept; of more, the oldest go. */
const MOST = 1024;

/** Longer answers are not kept. */
const LONGEST_BYTES = 64 * 1024;

/** A response as it was sent. */
export interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** Answers by what their purchase is known by, oldest first. */
export class Answered {
  readonly #answers = new Map<string, { answer: Answer; at: number }>();

  get size(): number {
    return this.#answers.size;
  }

  get(purchase: string): Answer | undefined {
    this.#forget();
    return this.#answers.get(purchase)?.answer;
  }

  add(purchase: string, answer: Answer): void {
    this.#answers.delete(purchase);
    this.#answers.set(purchase, { answer, at: Date.now() });
    this.#forget();
  }

  #forget(): void {
    const expired = Date.now() - KEPT_MILLISECONDS;
    for (const [purchase, { at }] of this.#answers) {
      if (at > expired && this.#answers.size <= MOST) {
        return;
      }
      this.#answers.delete(purchase);
    }
  }
}

/**
 * Notes what is written to a response. The result is the answer once it has ended; `undefined` before that, and if it
 * is too long to be kept.
 */
export function record(response: ServerResponse): () => Answer | undefined {
  const { write, end } = response;
  const chunks: Buffer[] = [];
  let bytes = 0;
  let head: Omit<Answer, "body"> | undefined;
  const note = ([chunk, encoding]: readonly unknown[]): void => {
    // Before what is around it, such as a compression, sees them.
    head ??= { status: response.statusCode, headers: { ...response.getHeaders() } };
    const part =
      typeof chunk === "string"
        ? Buffer.from(chunk, typeof encoding === "string" ? (encoding as BufferEncoding) : "utf8")
        : Buffer.from(chunk instanceof Uint8Array ? chunk : []);
    bytes += part.length;
    if (bytes <= LONGEST_BYTES) {
      chunks.push(part);
    }
  };
  response.write = (...args: unknown[]): boolean => {
    note(args);
    return write.apply(response, args as Parameters<typeof write>);
  };
  response.end = (...args: unknown[]): typeof response => {
    note(args);
    return end.apply(response, args as Parameters<typeof end>);
  };
  return () =>
    head !== undefined && response.writableEnded && bytes <= LONGEST_BYTES
      ? { ...head, body: Buffer.concat(chunks) }
      : undefined;
}

/** Sends an answer again. */
export function replay(response: ServerResponse, { status, headers, body }: Answer): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) {
      response.setHeader(name, value);
    }
  }
  response.end(body);
}
