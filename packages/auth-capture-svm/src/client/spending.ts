/**
 * How much an agent has signed for, on disk beside the session file, so that a limit outlives the
 * process. The Rust agent counts in the same file.
 */

import { formatAmount } from "../amount.js";
import { readJson, writeJson } from "../durable.js";
import { Fields } from "../fields.js";
import { withLock } from "../lock.js";
import { SpendingError } from "./errors.js";

const MOST = 2n ** 64n - 1n;

export class Spending {
  readonly #path: string;
  readonly #decimals: number;

  /**
   * @param path the file; none counts 0
   * @param decimals the token's, for messages
   */
  constructor(path: string, decimals: number) {
    this.#path = path;
    this.#decimals = decimals;
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
          const tokens = (units: bigint): string => formatAmount(units, this.#decimals);
          throw new SpendingError(
            "spending_limit",
            `the spending limit of ${tokens(limit)} leaves ${tokens(left)}, and this costs ${tokens(amount)}`,
            { field: "spendingLimit", remedy: "raise spendingLimit" },
          );
        }
        writeJson(this.#path, { signedFor: (before + amount).toString() });
      });
    } catch (error) {
      if (error instanceof SpendingError) {
        throw error;
      }
      const message = `the spending file ${this.#path}: ${(error as Error).message}`;
      throw new SpendingError("spending_file", message, { cause: error });
    }
  }
}
