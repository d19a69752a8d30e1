/** Amounts as people write them, read exactly. */

import { shown } from "./bytes.js";

/**
 * Reads a decimal amount of a token, as `1.50`, in base units.
 *
 * @param field names it in the message
 * @throws if it is no such number, is finer than the token, or is more than 2^64 - 1 base units
 */
export function parseAmount(text: string, decimals: number, field: string): bigint {
  const [, whole, fraction = ""] = /^([0-9]+)(?:\.([0-9]+))?$/.exec(text) ?? [];
  if (whole === undefined) {
    throw new TypeError(`${field}: ${shown(text)} is not an amount: write it as "1" or "1.50"`);
  }
  if (fraction.length > decimals) {
    throw new TypeError(`${field}: ${shown(text)} has more than the token's ${decimals} decimals`);
  }
  const amount = BigInt(whole + fraction.padEnd(decimals, "0"));
  if (amount !== BigInt.asUintN(64, amount)) {
    throw new TypeError(`${field}: ${shown(text)} is more than a token account can hold`);
  }
  return amount;
}

/** Writes base units as a decimal amount, `1.5`. */
export function formatAmount(units: bigint, decimals: number): string {
  const digits = units.toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, "");
  return fraction === "" ? whole : `${whole}.${fraction}`;
}
