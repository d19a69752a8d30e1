/** Prices as routes have them, in base units. */

import type { AssetAmount, Price } from "@x402/core/types";

import { shown } from "../bytes.js";

/** The token that a merchant is paid in. */
export interface Token {
  /** Its mint. */
  readonly mint: string;
  readonly decimals: number;
}

/**
 * Reads `"$0.10"`, `"0.10"` and `0.1` as that much of the token, exactly, and an amount in base units as it is.
 *
 * @throws if the price is neither, is not above 0, or is finer than the token
 */
export function parsePrice(price: Price, token: Token): AssetAmount {
  if (typeof price === "object") {
    if (price.asset !== token.mint) {
      throw new Error(`price: ${shown(price.asset)} is not the merchant's token ${token.mint}`);
    }
    return { ...price, amount: positive(price.amount, price) };
  }
  const [, whole, fraction = ""] = /^\$?([0-9]+)(?:\.([0-9]+))?$/.exec(String(price)) ?? [];
  if (whole === undefined) {
    throw new Error(`price: expected an amount like "$0.10", not ${shown(price)}`);
  }
  const digits = fraction.replace(/0+$/, "");
  if (digits.length > token.decimals) {
    throw new Error(`price: ${price} is finer than the token's ${token.decimals} decimals`);
  }
  return { asset: token.mint, amount: positive(whole + digits.padEnd(token.decimals, "0"), price) };
}

function positive(digits: string, price: Price): string {
  const amount = /^[0-9]+$/.test(digits) ? BigInt(digits) : 0n;
  if (amount === 0n || amount !== BigInt.asUintN(64, amount)) {
    throw new Error(`price: ${shown(price)} must be above 0 and below 2^64 base units`);
  }
  return amount.toString();
}
