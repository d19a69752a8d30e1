/** A merchant's folder: its record and its claim, which one process at a time uses. */

import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

import { LineFile } from "../durable.js";
import { FieldError, Fields } from "../fields.js";
import { lock } from "../lock.js";
import { Records } from "./records.js";

/**
 * Opens a merchant's folder, which is made if it is missing. The second result lets another use it.
 *
 * @throws if it can't be read or written, is damaged, or another merchant uses it
 */
export async function openFolder(path: string): Promise<[Records, () => void]> {
  const folder = resolve(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // What is signed there is money: nobody else may read it.
  chmodSync(folder, 0o700);
  const unlock = await lock(join(folder, "lock"), 0);
  if (unlock === undefined) {
    // Two that write the record would lose each other's captures.
    throw new Error(`${folder}: another merchant uses it; give each a folder of its own`);
  }
  try {
    const file = new LineFile(join(folder, "purchases.jsonl"));
    const [first, ...lines] = file.read();
    const claim = first === undefined ? randomBytes(16).toString("hex") : readClaim(first);
    return [new Records(file, claim, lines), unlock];
  } catch (error) {
    unlock();
    throw new Error(`the merchant's folder ${folder}: ${(error as Error).message}`, { cause: error });
  }
}

function readClaim(line: unknown): string {
  const claim = new Fields(line, "").text("claim");
  if (!/^[0-9a-f]{32}$/.test(claim)) {
    throw new FieldError("claim", "must be 32 lower-case hex digits");
  }
  return claim;
}
