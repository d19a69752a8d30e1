/**
 * How much an agent has signed for, on disk beside the session file, so that a limit outlives the
 * process. The Rust agent counts in the same file.
 */

import { readJson, writeJson } from "../durable.js";
import { Fields } from "../fields.js";
import { withLock } from "../lock.js";
import { SpendingError } from "./errors.js";

const MOST = 2n ** 64n - 1n;

export class Spending {
  readonly #path: string;

  /** @param path the file; none counts 0 */
  constructor(path: string) {
    this.#path = path;
  }

  /** All that was signed for, in base units. What is captured may be less. */
  get signedFor(): bigint {
    const fields = new Fields(readJson(this.#path) ?? {}, "");
    return fields.has("signedFor") ? fields.decimal("signedFor") : 0n;
  }

  /**
   * Counts, durably, before a signature exists: whoever has one can put it on chain.
   *
   * @throws {SpendingError} if the limit is reached, or the file can't be used; nothing changes then
   */
  async add(amount: bigint, limit = MOST): Promise<void> {
    try {
      await withLock(`${this.#path}.lock`, () => {
        const before = this.signedFor;
        if (before + amount > limit) {
          const left = limit > before ? limit - before : 0n;
          throw new SpendingError(`the spending limit of ${limit} base units leaves ${left}, and this costs ${amount}`);
        }
        writeJson(this.#path, { signedFor: (before + amount).toString() });
      });
    } catch (error) {
      if (error instanceof SpendingError) {
        throw error;
      }
      throw new SpendingError(`the spending file ${this.#path}: ${(error as Error).message}`, { cause: error });
    }
  }
}
