/** What an agent may sign for. */

import { parseAmount } from "../amount.js";

/** A decimal amount of the session's token, as `"0.25"`, or base units. */
export type Amount = string | bigint;

/** What an agent may sign for. */
export interface Limits {
  /** The most for one request. */
  readonly maximumAmount: Amount;
  /**
   * The most to hold at once for many requests, each paid by a voucher. Absent: offers of streamed
   * holds are refused. What was signed is kept in this process: another opens a hold of its own.
   */
  readonly maximumHold?: Amount;
  /**
   * The most for all requests together, of all processes that share the session file, ever. Absent:
   * the session's limits on chain are the only ones.
   */
  readonly spendingLimit?: Amount;
  /** The most that may be held at a time and bought nothing yet, of all these processes. */
  readonly maximumLocked?: Amount;
}

/** Limits in base units. */
export type BaseLimits = { readonly [Limit in keyof Limits]: bigint };

/** @throws if one is no amount */
export function readLimits(limits: Limits, decimals: number): BaseLimits {
  const read = (name: keyof Limits): { [name: string]: bigint } => {
    const limit = limits[name];
    if (limit === undefined) {
      return {};
    }
    const amount = typeof limit === "bigint" ? limit : parseAmount(limit, decimals, name);
    if (amount !== BigInt.asUintN(64, amount)) {
      throw new TypeError(`${name}: ${amount} is no number of base units`);
    }
    return { [name]: amount };
  };
  const { maximumAmount } = read("maximumAmount");
  if (maximumAmount === undefined) {
    throw new TypeError("maximumAmount: expected an amount");
  }
  return { maximumAmount, ...read("maximumHold"), ...read("spendingLimit"), ...read("maximumLocked") };
}
