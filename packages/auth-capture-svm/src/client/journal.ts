/**
 * What an agent signed, on disk before it is signed: beside the session file, shared by all
 * processes and by the Rust agent. docs/purchases.md has the format.
 */

import type { PaymentPayload } from "@x402/core/types";

import { LineFile } from "../durable.js";
import { Fields } from "../fields.js";
import { withLock } from "../lock.js";
import { PURCHASE, type PurchaseState } from "../purchase/buyer.js";
import { nextOf } from "../purchase/machine.js";
import { readRequestPrice } from "../wire.js";
import { JournalError, KeyUsedError, SpendingError, TooManyHoldsError } from "./errors.js";

/** How long a purchase is kept after its capture deadline, in seconds. */
const KEPT_SECONDS = 24 * 60 * 60;

/** A file of more lines than this, most of them out of date, is written anew. */
const FEW = 1_000;

/** What was signed for. */
export interface Signed {
  /** The caller's own name for the purchase. */
  readonly key?: string;
  /** When, unix seconds. */
  readonly at: number;
  readonly origin: string;
  /** Of the request: hash of method, URL and body. */
  readonly resourceHash: string;
  readonly payTo: string;
  /** What the purchase adds to all that was signed before, in base units. */
  readonly amount: bigint;
  /** Last second to put the intent on chain, unix. */
  readonly authorizeBy: number;
  /** Last second for captures, unix. */
  readonly captureDeadline: number;
  /** Without its signatures. */
  readonly payment: PaymentPayload;
}

/** One intent, or one voucher. */
export interface Purchase extends Signed {
  /** The payment's id; of a voucher, followed by `_` and its amount. */
  readonly purchase: string;
  readonly state: PurchaseState;
}

export class Journal {
  readonly #path: string;
  readonly #file: LineFile;

  constructor(path: string) {
    this.#path = path;
    this.#file = new LineFile(path);
  }

  /**
   * Notes a purchase that is about to be signed.
   *
   * @param check looks at all others, and throws if it must not be
   * @throws {JournalError} if the file can't be used
   */
  begin(purchase: Purchase, check: (others: readonly Purchase[]) => void): Promise<void> {
    return this.#locked((all, lines) => {
      check([...all.values()]);
      if (lines > FEW && lines > 2 * all.size) {
        this.#file.rewrite([...all.values()].filter((one) => isWorthKeeping(one, purchase.at)).map(writePurchase));
      }
      this.#file.append(writePurchase(purchase));
    });
  }

  /** Notes the next state of a purchase. One that is finished stays so. */
  note(purchase: string, state: PurchaseState): Promise<void> {
    return this.#locked((all) => {
      const before = all.get(purchase);
      if (before !== undefined && !isFinished(before)) {
        this.#file.append({ purchase, state });
      }
    });
  }

  /** All that is known, oldest first. A purchase whose process is gone is unknown. */
  all(): Promise<Purchase[]> {
    return this.#locked((all) => [...all.values()]);
  }

  /** The purchase under a key of the caller's, or with an id. */
  async find(key: string): Promise<Purchase | undefined> {
    return (await this.all()).findLast((one) => one.key === key || one.purchase === key);
  }

  async #locked<T>(work: (all: Map<string, Purchase>, lines: number) => T): Promise<T> {
    try {
      return await withLock(`${this.#path}.lock`, () => {
        const lines = this.#file.read();
        const all = new Map<string, Purchase>();
        lines.forEach((line) => follow(all, line));
        return work(all, lines.length);
      });
    } catch (error) {
      if (error instanceof KeyUsedError || error instanceof TooManyHoldsError || error instanceof SpendingError) {
        throw error;
      }
      throw new JournalError(`the journal ${this.#path}: ${(error as Error).message}`, { cause: error });
    }
  }
}

/** Whether nothing can become of a purchase any more. */
export function isFinished({ state }: Pick<Purchase, "state">): boolean {
  return state === "served" || state === "charged" || state === "over";
}

/** Whether a purchase is of an intent whose hold pays for many requests. */
export function isStream(purchase: Purchase): boolean {
  return purchase.payment.payload["type"] === undefined && isOutOfStream(purchase);
}

/** Whether a purchase is paid out of a hold for many requests, or opens one. */
export function isOutOfStream({ payment }: Purchase): boolean {
  return readRequestPrice(payment.accepted) !== undefined;
}

function follow(all: Map<string, Purchase>, line: unknown): void {
  const fields = new Fields(line, "");
  const purchase = fields.text("purchase");
  const written = fields.text("state");
  const state = Object.hasOwn(PURCHASE, written) ? nextOf(PURCHASE, written as PurchaseState, "crashed") : "unknown";
  const before = all.get(purchase);
  if (before !== undefined && !fields.has("payment")) {
    all.set(purchase, { ...before, state });
    return;
  }
  // What is begun again comes last: it is its key's last purchase.
  all.delete(purchase);
  all.set(purchase, read(fields, state));
}

function read(fields: Fields, state: PurchaseState): Purchase {
  return {
    ...(fields.has("key") ? { key: fields.text("key") } : {}),
    ...{ purchase: fields.text("purchase"), state, at: fields.integer("at"), origin: fields.text("origin") },
    ...{ resourceHash: fields.text("resourceHash"), payTo: fields.address("payTo"), amount: fields.decimal("amount") },
    ...{ authorizeBy: fields.integer("authorizeBy"), captureDeadline: fields.integer("captureDeadline") },
    payment: fields.object("payment") as unknown as PaymentPayload,
  };
}

function writePurchase({ amount, ...rest }: Purchase): unknown {
  return { ...rest, amount: amount.toString() };
}

/** What is finished is needed for its key, and as long as its hold may pay for more. */
function isWorthKeeping(purchase: Purchase, now: number): boolean {
  const { key, captureDeadline } = purchase;
  const isOpen = !isFinished(purchase) || (isStream(purchase) && now <= captureDeadline);
  return now <= captureDeadline + KEPT_SECONDS && (key !== undefined || isOpen);
}
