/**
 * What a merchant sold, held and signed, kept so that no crash forgets it. Every change is on disk
 * before it returns; synchronous, so that changes can't cross.
 */

import { nextOf } from "../purchase/machine.js";
import { HOLD } from "../purchase/seller.js";
import { followCharge } from "./charge.js";
import { type Change, follow, type Hold, isOnDisk, lineOf, nothing, replay, whole } from "./hold.js";
import { readLine, writeLine } from "./line.js";

/** How many lines there may be beyond two for each that is needed before they are written anew. */
const FEW = 256;

/** Where lines are kept. */
export interface Log {
  append(line: unknown): void;
  /** Replaces all lines in one step. */
  rewrite(lines: readonly unknown[]): void;
}

export class Records {
  /** Who asks. */
  readonly claim: string;
  readonly #log: Log;
  readonly #holds = new Map<string, Hold>();
  #lines = 0;
  #enough = 0;
  #unknown = 0;

  /**
   * @param lines what the log has, after the claim's line
   * @throws if a line can't be read, or none can be written
   */
  constructor(log: Log, claim: string, lines: readonly unknown[]) {
    this.claim = claim;
    this.#log = log;
    for (const [index, value] of lines.entries()) {
      try {
        const line = readLine(value);
        this.#put(line.hold, replay(this.get(line.hold), line));
      } catch (error) {
        throw new Error(`the record is damaged: line ${index + 2}: ${(error as Error).message}`);
      }
    }
    for (const [id, hold] of this.#holds) {
      const after = { ...hold, state: nextOf(HOLD, hold.state, "crashed") };
      hold.underWay.clear();
      this.#put(id, followCharge(after, { charge: "crashed" }));
    }
    this.#rewrite();
  }

  /** How many payments may be held and have bought nothing. */
  get unknown(): number {
    return this.#unknown;
  }

  get size(): number {
    return this.#holds.size;
  }

  get(id: string): Hold {
    return this.#holds.get(id) ?? nothing();
  }

  /** All that is known. Changes meanwhile do no harm. */
  all(): [string, Hold][] {
    return [...this.#holds];
  }

  /**
   * Notes what happened.
   *
   * @throws if it can't happen, or can't be written: nothing changes then
   */
  change(id: string, change: Change): void {
    const before = this.get(id);
    const line = lineOf(id, before, change);
    if (line !== undefined) {
      if (this.#lines >= this.#enough) {
        this.#rewrite();
      }
      this.#log.append(writeLine(line));
      this.#lines += 1;
    }
    this.#follow(id, change);
  }

  /** Notes what happened in memory only, where the disk takes nothing. The next line writes it too. */
  remember(id: string, change: Change): void {
    this.#follow(id, change);
    this.#enough = 0;
  }

  #follow(id: string, change: Change): void {
    this.#put(id, follow(this.get(id), change));
  }

  #put(id: string, hold: Hold): void {
    this.#unknown += Number(hold.state === "unknown") - Number(this.get(id).state === "unknown");
    if (hold.state === "offered" && hold.charge === "offered" && hold.underWay.size === 0) {
      this.#holds.delete(id);
    } else {
      this.#holds.set(id, hold);
    }
  }

  #rewrite(): void {
    const known = this.all().filter(([, hold]) => isOnDisk(hold));
    const lines = known.flatMap(([id, hold]) => whole(id, hold)).map(writeLine);
    const amounts = known.reduce((sum, [, { served }]) => sum + served.size, 0);
    // If it fails, the next change tries again: the file may be another by then.
    this.#enough = 0;
    this.#log.rewrite([{ claim: this.claim }, ...lines]);
    this.#lines = lines.length;
    this.#enough = FEW + 2 * (lines.length + amounts);
  }
}
