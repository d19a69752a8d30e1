/** JSON files that outlive a crash: it leaves the old or the new text, or drops a line that it broke off. */

import {
  closeSync,
  existsSync,
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
 * Replaces a file in one step, and has it on disk before it returns. Only its owner can read it.
 * One process at a time may do so.
 */
export function writeJson(path: string, value: unknown): void {
  replace(path, lineOf(value));
}

/**
 * A file of JSON lines that grows. Only its owner can read it, and one process at a time may change
 * it.
 */
export class LineFile {
  readonly #path: string;
  /** Of what is whole, in bytes. */
  #length = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Reads all lines; none if there is no file. A last line that has no end is dropped.
   *
   * @throws if the file can't be read, or another line is not JSON
   */
  read(): unknown[] {
    const text = read(this.#path) ?? "";
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    this.#length = Buffer.byteLength(whole);
    return whole
      .split("\n")
      .slice(0, -1)
      .map((line, index) => {
        try {
          return JSON.parse(line) as unknown;
        } catch {
          throw new Error(`${this.#path} is damaged: line ${index + 1} can't be read`);
        }
      });
  }

  /**
   * Adds a line, and has it on disk before it returns. What a write that failed left behind is cut
   * off.
   */
  append(value: unknown): void {
    if (!existsSync(this.#path)) {
      return this.rewrite([value]);
    }
    const line = Buffer.from(lineOf(value));
    const length = this.#length;
    withFile(this.#path, "r+", (file) => {
      ftruncateSync(file, length);
      for (let written = 0; written < line.length;) {
        written += writeSync(file, line, written, line.length - written, length + written);
      }
      fsyncSync(file);
    });
    this.#length += line.length;
  }

  /** Replaces all lines in one step, and has that on disk before it returns. */
  rewrite(values: readonly unknown[]): void {
    const text = values.map(lineOf).join("");
    replace(this.#path, text);
    this.#length = Buffer.byteLength(text);
  }
}

function replace(path: string, text: string): void {
  const unfinished = `${path}.new`;
  withFile(unfinished, "w", (file) => {
    writeFileSync(file, text);
    fsyncSync(file);
  });
  renameSync(unfinished, path);
  withFile(dirname(path), "r", fsyncSync);
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
