import { base58 } from "@scure/base";

/** An address of Solana: 32 bytes in base58. */
export type Address = string;

/**
 * Reads base58 of exactly `length` bytes.
 *
 * @throws if `text` is anything else; `field` names it in the message
 */
export function readBase58(text: unknown, length: number, field: string): Uint8Array {
  // Longer text can't be that many bytes; without the bound decoding would be quadratic in what a stranger sends.
  const readable = typeof text === "string" && text.length <= 2 * length;
  const bytes = readable ? attempt(() => base58.decode(text)) : undefined;
  if (bytes?.length !== length) {
    throw new TypeError(`${field}: expected ${length} bytes in base58, not ${shown(text)}`);
  }
  return bytes;
}

/** Writes base58. */
export function writeBase58(bytes: Uint8Array): string {
  return base58.encode(bytes);
}

/**
 * Reads `length` bytes in hexadecimal, either case.
 *
 * @throws if `text` is anything else; `field` names it in the message
 */
export function readHex(text: unknown, length: number, field: string): Uint8Array {
  if (typeof text !== "string" || text.length !== 2 * length || /[^0-9a-fA-F]/.test(text)) {
    throw new TypeError(`${field}: expected ${2 * length} hex digits, not ${shown(text)}`);
  }
  return Uint8Array.from({ length }, (_, index) => Number.parseInt(text.slice(2 * index, 2 * index + 2), 16));
}

/** Writes hexadecimal in lower case. */
export function writeHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** One byte string after the other. */
export function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  const whole = new Uint8Array(left.length + right.length);
  whole.set(left);
  whole.set(right, left.length);
  return whole;
}

/** Whether two byte strings are equal. Not in constant time: for public bytes. */
export function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

/** Text of others for a terminal: what would move its cursor or hide other text is escaped. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** What a message may show of a value that was sent by others. */
export function shown(value: unknown): string {
  const text = printable(JSON.stringify(value) ?? String(value));
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
