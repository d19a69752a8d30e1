/** Signed captures and releases that are not final yet, on disk: what is signed here is money. */

import { resolve } from "node:path";

import type { PaymentRequirements } from "@x402/core/types";

import { appendLine, readLines, writeLines } from "../durable.js";
import { Fields } from "../fields.js";
import { lock } from "../lock.js";
import type { CapturePayload, VoidPayload } from "../wire.js";

/** How many lines there may be beyond two for each payment before they are written anew. */
const FEW = 256;

/** How a payment ends, signed. */
export interface Ending {
  readonly requirements: PaymentRequirements;
  readonly payload: CapturePayload | VoidPayload;
  /** Last second for captures, unix. */
  readonly captureDeadline: number;
}

/** A line of the file; without an ending, the payment is over. */
interface Change {
  readonly paymentId: string;
  readonly ending?: Ending;
}

/**
 * By payment id. Every change is a line that is on disk before it returns; synchronous, so that
 * changes can't cross.
 */
export class Unsettled {
  readonly #path: string;
  readonly #unlock: () => void;
  readonly #endings = new Map<string, Ending>();
  #lines = 0;
  /** Of the file, in bytes. */
  #length = 0;

  private constructor(path: string, unlock: () => void) {
    this.#path = path;
    this.#unlock = unlock;
    readLines(path, (line) => this.#apply(readChange(line)));
    this.#rewrite();
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
    this.#change({ paymentId, ending });
  }

  remove(paymentId: string): void {
    this.#change({ paymentId });
  }

  get(paymentId: string): Ending | undefined {
    return this.#endings.get(paymentId);
  }

  get paymentIds(): string[] {
    return [...this.#endings.keys()];
  }

  /** Lets another merchant use the file. */
  close(): void {
    this.#unlock();
  }

  #change(change: Change): void {
    if (this.#lines >= FEW + 2 * this.#endings.size) {
      this.#rewrite();
    }
    this.#length = appendLine(this.#path, this.#length, change);
    this.#lines += 1;
    this.#apply(change);
  }

  #apply({ paymentId, ending }: Change): void {
    if (ending === undefined) {
      this.#endings.delete(paymentId);
    } else {
      this.#endings.set(paymentId, ending);
    }
  }

  #rewrite(): void {
    const changes = Array.from(this.#endings, ([paymentId, ending]): Change => ({ paymentId, ending }));
    // If it fails, the next change tries again: the file may be another by then.
    this.#lines = Number.POSITIVE_INFINITY;
    this.#length = writeLines(this.#path, changes);
    this.#lines = changes.length;
  }
}

function readChange(line: unknown): Change {
  const fields = new Fields(line, "");
  const paymentId = fields.text("paymentId");
  return fields.has("ending") ? { paymentId, ending: fields.object("ending") as unknown as Ending } : { paymentId };
}
