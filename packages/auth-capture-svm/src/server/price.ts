/** Prices as routes have them, in base units. */

import type { AssetAmount, Price, SupportedKind } from "@x402/core/types";

import { parseAmount } from "../amount.js";
import { type Address, shown } from "../bytes.js";

/** The token that a merchant is paid in. */
export interface Token {
  /** Its mint. */
  readonly mint: Address;
  readonly decimals: number;
}

/**
 * Reads `"0.10"` as that much of the token, exactly, and an amount in base units as it is. A dollar
 * sign changes nothing: `"$0.10"` is 0.10 tokens, whatever they are worth.
 *
 * @throws if the price is neither, is not above 0, or is finer than the token
 */
export function parsePrice(price: Price, { mint, decimals }: Token): AssetAmount {
  if (typeof price !== "object") {
    return { asset: mint, amount: positive(parseAmount(String(price).replace(/^\$/, ""), decimals, "price"), price) };
  }
  if (price.asset !== mint) {
    throw new Error(`price: ${shown(price.asset)} is not the merchant's token ${mint}`);
  }
  return { ...price, amount: positive(parseAmount(price.amount, 0, "price"), price) };
}

/** The decimals of a token, if the facilitator knows them. */
export function decimalsOf({ extra }: Pick<SupportedKind, "extra">, mint: Address): number | undefined {
  const tokens = extra?.["tokens"] as Readonly<Record<string, { decimals?: unknown } | null>> | null | undefined;
  const known = Object.hasOwn(tokens ?? {}, mint) ? tokens?.[mint]?.decimals : undefined;
  return isDecimals(known) ? known : undefined;
}

/** Returns whether a token can have that many decimals. */
export function isDecimals(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 255;
}

function positive(amount: bigint, price: Price): string {
  if (amount === 0n) {
    throw new Error(`price: ${shown(price)} must be above 0`);
  }
  return amount.toString();
}
