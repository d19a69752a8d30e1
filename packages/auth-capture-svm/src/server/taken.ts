/** What a handler takes of the price. No I/O. */

import { shown } from "../bytes.js";

/** Response header by which a handler takes less than the price; clients don't see it. */
export const OVERRIDES = "settlement-overrides";

/** An amount that the payment middleware understands: base units, dollars or a part of the price. */
const OVERRIDE = /^([0-9]+|\$[0-9]+(\.[0-9]+)?|[0-9]+(\.[0-9]{1,2})?%)$/;

/** Headers for the response of a handler that takes less than the price: base units, `"$0.05"` or `"50%"`. */
export function charging(amount: string): Record<string, string> {
  return { [OVERRIDES]: JSON.stringify({ amount }) };
}

/**
 * What a handler takes; `undefined` if that is no amount, or above the price.
 *
 * @param headers of its response
 * @param amount what the payment middleware made of them
 */
export function taken(headers: Readonly<Record<string, string>>, amount: string, price: bigint): bigint | undefined {
  const [, override] = Object.entries(headers).find(([name]) => name.toLowerCase() === OVERRIDES) ?? [];
  const isGood = override === undefined || OVERRIDE.test(amountOf(override));
  if (isGood && /^[0-9]+$/.test(amount) && BigInt(amount) <= price) {
    return BigInt(amount);
  }
  console.error(`a handler wants ${shown(override)} of ${price} base units: nothing is served, and nothing charged`);
  return undefined;
}

/** As it is written; empty if it is no text. */
function amountOf(override: string): string {
  try {
    const { amount } = (JSON.parse(override) ?? {}) as { amount?: unknown };
    return typeof amount === "string" ? amount : "";
  } catch {
    return "";
  }
}
