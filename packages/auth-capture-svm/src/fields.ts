/** Reads JSON that came from others, and says which field is wrong. */

import { type Address, printable, readBase58, readHex, shown } from "./bytes.js";

/** A field that is missing or can't be read, or is not what it must be. */
export class FieldError extends Error {
  override readonly name = "FieldError";

  /** @param field its path in the JSON */
  constructor(
    readonly field: string,
    readonly problem: string,
  ) {
    super(printable(`${field}: ${problem}`));
  }
}

/** Reads the members of a JSON object that came from others. */
export class Fields {
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #path: string;

  /** @param path where `value` is, for messages; empty for the whole document */
  constructor(value: unknown, path: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new FieldError(path || "the document", `expected an object, not ${shown(value)}`);
    }
    this.#object = value as Record<string, unknown>;
    this.#path = path;
  }

  /** Whether the member is there and not `null`. */
  has(name: string): boolean {
    return this.#get(name) !== undefined && this.#get(name) !== null;
  }

  text(name: string): string {
    const value = this.#get(name);
    return typeof value === "string" ? value : this.#wrong(name, "a string");
  }

  object(name: string): Record<string, unknown> {
    const value = this.#get(name);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : this.#wrong(name, "an object");
  }

  /** What `read` makes of each item of an array. An item's name is its place. */
  items<T>(name: string, read: (items: Fields, place: string) => T): T[] {
    const value = this.#get(name);
    if (!Array.isArray(value)) {
      return this.#wrong(name, "an array");
    }
    const items = new Fields({ ...(value as unknown[]) }, this.#pathOf(name));
    return Object.keys(value).map((place) => read(items, place));
  }

  address(name: string): Address {
    const text = this.text(name);
    return isReadable(() => readBase58(text, 32, name)) ? text : this.#wrong(name, "32 bytes in base58");
  }

  /** 64 bytes in base58. */
  signature(name: string): Uint8Array {
    const text = this.text(name);
    return isReadable(() => readBase58(text, 64, name))
      ? readBase58(text, 64, name)
      : this.#wrong(name, "64 bytes in base58");
  }

  boolean(name: string): boolean {
    const value = this.#get(name);
    return typeof value === "boolean" ? value : this.#wrong(name, "true or false");
  }

  hex32(name: string): Uint8Array {
    const text = this.text(name);
    return isReadable(() => readHex(text, 32, name)) ? readHex(text, 32, name) : this.#wrong(name, "64 hex digits");
  }

  /** A number that JSON can carry exactly. */
  integer(name: string): number {
    const value = this.#get(name);
    return typeof value === "number" && Number.isSafeInteger(value) ? value : this.#wrong(name, "an integer");
  }

  /** A u64 as a decimal string. */
  decimal(name: string): bigint {
    const value = this.#get(name);
    const number = typeof value === "string" && /^[0-9]{1,20}$/.test(value) ? BigInt(value) : -1n;
    return number === BigInt.asUintN(64, number)
      ? number
      : this.#wrong(name, "an integer from 0 to 2^64 - 1 as a string");
  }

  #get(name: string): unknown {
    return Object.hasOwn(this.#object, name) ? this.#object[name] : undefined;
  }

  #pathOf(name: string): string {
    return this.#path === "" ? name : `${this.#path}.${name}`;
  }

  #wrong(name: string, expected: string): never {
    const value = this.#get(name);
    throw new FieldError(
      this.#pathOf(name),
      value === undefined ? `is missing: expected ${expected}` : `expected ${expected}, not ${shown(value)}`,
    );
  }
}

function isReadable(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}
