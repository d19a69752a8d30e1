/** Signed captures and releases that are not final yet, on disk: what is signed here is money. */

import { resolve } from "node:path";

import type { PaymentRequirements } from "@x402/core/types";

import { readJson, writeJson } from "../durable.js";
import { lock } from "../lock.js";
import type { CapturePayload, VoidPayload } from "../wire.js";

/** How a payment ends, signed. */
export interface Ending {
  readonly requirements: PaymentRequirements;
  readonly payload: CapturePayload | VoidPayload;
  /** Last second for captures, unix. */
  readonly captureDeadline: number;
}

/**
 * By payment id. Every change is on disk before it returns; synchronous, so that changes can't
 * cross.
 */
export class Unsettled {
  readonly #path: string;
  readonly #unlock: () => void;
  #endings: Readonly<Record<string, Ending>>;

  private constructor(path: string, unlock: () => void) {
    this.#path = path;
    this.#unlock = unlock;
    this.#endings = (readJson(path) ?? {}) as Record<string, Ending>;
    this.#write(this.#endings);
  }

  /**
   * Reads the file; none is an empty one. Writes it back, so that a file that can't be written
   * shows at once.
   *
   * @throws if it can't be read or written, is damaged, or another merchant uses it
   */
  static async open(file: string): Promise<Unsettled> {
    const path = resolve(file);
    const unlock = await lock(`${path}.lock`, 0);
    if (unlock === undefined) {
      // Two that write the file would lose each other's captures.
      throw new Error(`${path}: another merchant uses it; give each a file of its own`);
    }
    try {
      return new Unsettled(path, unlock);
    } catch (error) {
      unlock();
      throw error;
    }
  }

  add(paymentId: string, ending: Ending): void {
    this.#write({ ...this.#endings, [paymentId]: ending });
  }

  remove(paymentId: string): void {
    const { [paymentId]: _removed, ...left } = this.#endings;
    this.#write(left);
  }

  get(paymentId: string): Ending | undefined {
    return this.#endings[paymentId];
  }

  get paymentIds(): string[] {
    return Object.keys(this.#endings);
  }

  /** Lets another merchant use the file. */
  close(): void {
    this.#unlock();
  }

  #write(endings: Readonly<Record<string, Ending>>): void {
    writeJson(this.#path, endings);
    this.#endings = endings;
  }
}
