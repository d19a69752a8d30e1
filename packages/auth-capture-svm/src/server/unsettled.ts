/** Signed captures and releases that the facilitator doesn't have yet, on disk: what is signed here is money. */

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

import type { PaymentRequirements } from "@x402/core/types";

import type { CapturePayload, VoidPayload } from "../wire.js";

/** How a payment ends, signed. */
export interface Ending {
  readonly requirements: PaymentRequirements;
  readonly payload: CapturePayload | VoidPayload;
  /** Last second for captures, unix. */
  readonly captureDeadline: number;
}

/** By payment id. Every change is on disk before it returns; synchronous, so that changes can't cross. */
export class Unsettled {
  readonly #path: string;
  #endings: Readonly<Record<string, Ending>>;

  /**
   * Reads the file; none is an empty one. Writes it back, so that a file that can't be written shows at once.
   *
   * @throws if it can't be read or written, is damaged, or another merchant uses it
   */
  constructor(path: string) {
    this.#path = resolve(path);
    lock(`${this.#path}.lock`);
    try {
      this.#endings = read(this.#path);
      this.#write(this.#endings);
    } catch (error) {
      this.close();
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
    rmSync(`${this.#path}.lock`, { force: true });
    locked.delete(`${this.#path}.lock`);
  }

  /** Replaces the file in one step. */
  #write(endings: Readonly<Record<string, Ending>>): void {
    const unfinished = `${this.#path}.new`;
    const file = openSync(unfinished, "w", 0o600);
    try {
      writeFileSync(file, `${JSON.stringify(endings)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(unfinished, this.#path);
    const folder = openSync(dirname(this.#path), "r");
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
    this.#endings = endings;
  }
}

function read(path: string): Record<string, Ending> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return {};
    }
    throw error;
  }
  try {
    return JSON.parse(text) as Record<string, Ending>;
  } catch (error) {
    throw new Error(`${path} is damaged: ${(error as Error).message}`);
  }
}

/** Lock files of this process. */
const locked = new Set<string>();

/** Keeps other merchants away: two that write the file would lose each other's captures. */
function lock(path: string): void {
  try {
    writeFileSync(path, `${process.pid}\n`, { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw error;
    }
    const owner = Number.parseInt(readFileSync(path, "utf8"), 10);
    // After a restart in a container our own id may be the one that an earlier run left.
    if (owner === process.pid ? locked.has(path) : isRunning(owner)) {
      throw new Error(`${path}: the merchant of process ${owner} uses it; give each a file of its own`);
    }
    writeFileSync(path, `${process.pid}\n`);
  }
  locked.add(path);
}

function isRunning(processId: number): boolean {
  if (!(processId > 0)) {
    return false;
  }
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
