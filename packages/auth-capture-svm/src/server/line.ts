/** The lines of a merchant's record. docs/purchases.md has the format. */

import type { PaymentRequirements } from "@x402/core/types";

import { writeHex } from "../bytes.js";
import { FieldError, Fields } from "../fields.js";
import { CHARGE, type ChargeState } from "../purchase/charge.js";
import { HOLD, type HoldState, VOUCHER, type VoucherState } from "../purchase/seller.js";

/** What a payment's ending needs. */
export interface Facts {
  /** With which the ending is settled, or the charge; absent once that is served. */
  readonly requirements?: PaymentRequirements | undefined;
  /** Last second to put the intent on chain, unix. */
  readonly authorizeBy: number;
  /** Last second for captures, unix. */
  readonly captureDeadline: number;
}

/** A change of a hold, or of a charge. What is absent is as it was. */
export interface Line extends Partial<Facts> {
  readonly hold: string;
  readonly state?: HoldState;
  /** Of a payment that is charged at once. */
  readonly charge?: ChargeState;
  /** The intent of one that may be held, with its capture if it is charged; or the signed capture. */
  readonly payload?: Record<string, unknown>;
  readonly voucher?: { readonly amount: bigint; readonly state: VoucherState };
  readonly accepted?: bigint;
  readonly served?: readonly bigint[];
}

/** @throws {FieldError} if it can't be read */
export function readLine(value: unknown): Line {
  const fields = new Fields(value, "");
  const has = <T>(name: string, read: (name: string) => T): object => (fields.has(name) ? { [name]: read(name) } : {});
  return {
    hold: writeHex(fields.hex32("hold")),
    ...has("state", (name) => state(HOLD, fields, name)),
    ...has("charge", (name) => state(CHARGE, fields, name)),
    ...has("requirements", (name) => fields.object(name)),
    ...has("authorizeBy", (name) => fields.integer(name)),
    ...has("captureDeadline", (name) => fields.integer(name)),
    ...has("payload", (name) => fields.object(name)),
    ...has("voucher", (name) => {
      const voucher = new Fields(fields.object(name), name);
      return { amount: voucher.decimal("amount"), state: state(VOUCHER, voucher, "state") };
    }),
    ...has("accepted", (name) => fields.decimal(name)),
    ...has("served", (name) => fields.items(name, (items, place) => items.decimal(place))),
  };
}

/** Amounts are decimal strings. */
export function writeLine(line: Line): unknown {
  return JSON.parse(JSON.stringify(line, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)));
}

function state<State extends string>(table: Readonly<Record<State, unknown>>, fields: Fields, name: string): State {
  const text = fields.text(name);
  if (!Object.hasOwn(table, text)) {
    throw new FieldError(name, `there is no ${text}`);
  }
  return text as State;
}
