/**
 * How much an agent has paid or promised, on disk beside the session file, so that a limit outlives
 * the process. The Rust agent counts in the same file, by the same rules.
 */

import { formatAmount } from "../amount.js";
import { readJson, writeJson } from "../durable.js";
import { Fields } from "../fields.js";
import { withLock } from "../lock.js";
import { SpendingError } from "./errors.js";

const MOST = 2n ** 64n - 1n;

/** How many payments may come to less than they count with. */
const MOST_PROMISED = 256;

/** A payment that counts in full and may come to less. */
export interface Promised {
  /** What was signed for, in base units. */
  readonly amount: bigint;
  /** Last second at which it can be put on chain, unix. */
  readonly authorizeBy: number;
  /** Last second for captures, unix. */
  readonly captureDeadline: number;
}

interface Contents {
  readonly signedFor: bigint;
  readonly promised: Map<string, Promised>;
}

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

  /** All that was paid or is still promised, in base units. */
  get signedFor(): bigint {
    return this.#read().signedFor;
  }

  /** Payments that count in full and may come to less, by their ids. */
  get promised(): ReadonlyMap<string, Promised> {
    return this.#read().promised;
  }

  /**
   * Counts a payment, durably, before a signature exists: whoever has one can put it on chain. Without a
   * limit nobody asks later what it came to.
   *
   * @throws {SpendingError} if the limit is reached, or the file can't be used; nothing changes then
   */
  async add(paymentId: string, payment: Promised, limit?: bigint): Promise<void> {
    await this.#change(({ signedFor, promised }) => {
      this.#check(signedFor, payment.amount, limit ?? MOST);
      if (limit !== undefined) {
        promised.set(paymentId, payment);
        forgetOldest(promised);
      }
      return { signedFor: signedFor + payment.amount, promised };
    });
  }

  /**
   * Counts a payment that has ended with what it came to, once.
   *
   * @throws {SpendingError} if the file can't be used
   */
  async settle(paymentId: string, paid: bigint): Promise<void> {
    await this.#change(({ signedFor, promised }) => {
      const { amount } = promised.get(paymentId) ?? { amount: 0n };
      promised.delete(paymentId);
      // More than was signed for can't have been paid, and is not believed.
      const unpaid = amount > paid ? amount - paid : 0n;
      return { signedFor: signedFor > unpaid ? signedFor - unpaid : 0n, promised };
    });
  }

  #check(before: bigint, amount: bigint, limit: bigint): void {
    if (before + amount <= limit) {
      return;
    }
    const left = limit > before ? limit - before : 0n;
    const tokens = (units: bigint): string => formatAmount(units, this.#decimals);
    throw new SpendingError(
      "spending_limit",
      `the spending limit of ${tokens(limit)} leaves ${tokens(left)}, and this costs ${tokens(amount)}`,
      { field: "spendingLimit", remedy: "raise spendingLimit" },
    );
  }

  async #change(change: (before: Contents) => Contents): Promise<void> {
    try {
      await withLock(`${this.#path}.lock`, () => {
        const { signedFor, promised } = change(this.#read());
        const written = [...promised].map(([id, one]) => [id, { ...one, amount: one.amount.toString() }]);
        const kept = promised.size === 0 ? {} : { promised: Object.fromEntries(written) as unknown };
        writeJson(this.#path, { signedFor: signedFor.toString(), ...kept });
      });
    } catch (error) {
      if (error instanceof SpendingError) {
        throw error;
      }
      const message = `the spending file ${this.#path}: ${(error as Error).message}`;
      throw new SpendingError("spending_file", message, { cause: error });
    }
  }

  #read(): Contents {
    const fields = new Fields(readJson(this.#path) ?? {}, "");
    const promised = fields.has("promised") ? fields.object("promised") : {};
    const read = (id: string): Promised => {
      const one = new Fields(promised[id], `promised.${id}`);
      const times = { authorizeBy: one.integer("authorizeBy"), captureDeadline: one.integer("captureDeadline") };
      return { amount: one.decimal("amount"), ...times };
    };
    return {
      signedFor: fields.has("signedFor") ? fields.decimal("signedFor") : 0n,
      promised: new Map(Object.keys(promised).map((id) => [id, read(id)])),
    };
  }
}

/** Lets the file grow no further: what is forgotten counts in full. */
function forgetOldest(promised: Map<string, Promised>): void {
  if (promised.size > MOST_PROMISED) {
    const [oldest] = [...promised].reduce((one, other) =>
      other[1].captureDeadline < one[1].captureDeadline ? other : one,
    );
    promised.delete(oldest);
  }
}
