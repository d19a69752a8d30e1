/**
 * What was answered to purchases that have an id. In memory: after a restart a repeat is refused, and nothing is paid
 * twice.
 */

import { responseOf } from "./web.js";

/** For how long an answer is kept. */
const KEPT_MILLISECONDS = 3_600_000;

/** How many are kept; of more, the oldest go. */
const MOST = 1024;

/** Longer answers are not kept. */
const LONGEST_BYTES = 64 * 1024;

/** A response as it was sent. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly [string, string][];
  readonly body: Uint8Array<ArrayBuffer>;
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

/** What a response has; `undefined` if it is too long to be kept. */
export async function record(response: Response): Promise<Answer | undefined> {
  const body = new Uint8Array(await response.arrayBuffer());
  return body.length <= LONGEST_BYTES ? { status: response.status, headers: [...response.headers], body } : undefined;
}

/** The answer again. */
export function replay({ status, headers, body }: Answer): Response {
  return responseOf(status, new Headers([...headers]), body);
}
