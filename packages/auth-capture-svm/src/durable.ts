/** JSON files that outlive a crash: it leaves the old or the new text, or drops a line that it broke off. */

import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

/**
 * Reads a file.
 *
 * @returns `undefined` where there is none
 * @throws if it can't be read, or is not JSON
 */
export function readJson(path: string): unknown {
  const text = read(path);
  if (text === undefined) {
    return undefined;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new Error(`${path} is damaged: ${(error as Error).message}`);
  }
}

/**
 * Reads a file of JSON lines; none if there is no file. A last line that has no end is dropped.
 *
 * @param each reads a line's JSON
 * @throws if the file can't be read, or `each` can't read a line
 */
export function readLines(path: string, each: (line: unknown) => void): void {
  const lines = (read(path) ?? "").split("\n").slice(0, -1);
  for (const [index, line] of lines.entries()) {
    try {
      each(JSON.parse(line));
    } catch {
      throw new Error(`${path} is damaged: line ${index + 1} can't be read`);
    }
  }
}

/**
 * Replaces a file in one step, and has it on disk before it returns. Only its owner can read it.
 * One process at a time may do so.
 */
export function writeJson(path: string, value: unknown): void {
  writeLines(path, [value]);
}

/** The same with a line for each value. Returns the length of the file, in bytes. */
export function writeLines(path: string, values: readonly unknown[]): number {
  const text = values.map(lineOf).join("");
  const unfinished = `${path}.new`;
  withFile(unfinished, "w", (file) => {
    writeFileSync(file, text);
    fsyncSync(file);
  });
  renameSync(unfinished, path);
  withFile(dirname(path), "r", fsyncSync);
  return Buffer.byteLength(text);
}

/**
 * Adds a line to a file of `length` bytes, and has it on disk before it returns. What a write that
 * failed left behind is cut off. Returns the new length.
 */
export function appendLine(path: string, length: number, value: unknown): number {
  const line = Buffer.from(lineOf(value));
  withFile(path, "r+", (file) => {
    ftruncateSync(file, length);
    for (let written = 0; written < line.length; ) {
      written += writeSync(file, line, written, line.length - written, length + written);
    }
    fsyncSync(file);
  });
  return length + line.length;
}

function lineOf(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return undefined;
    }
    throw error;
  }
}

function withFile(path: string, flags: string, work: (file: number) => void): void {
  const file = openSync(path, flags, 0o600);
  try {
    work(file);
  } finally {
    closeSync(file);
  }
}
