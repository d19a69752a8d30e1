/** The lines of a merchant's record. docs/purchases.md has the format. */

import type { PaymentRequirements } from "@x402/core/types";

import { writeHex } from "../bytes.js";
import { FieldError, Fields } from "../fields.js";
import { HOLD, type HoldState, VOUCHER, type VoucherState } from "../purchase/seller.js";
import type { CapturePayload, ClosePayload, VoidPayload } from "../wire.js";

/** How a payment ends, signed. */
export type Ending = CapturePayload | ClosePayload | VoidPayload;

/** Returns whether a payload ends a payment: a client's does not. */
export function isEnding(payload: Record<string, unknown> | undefined): payload is Ending {
  return ["capture", "close", "void"].includes(String(payload?.["type"]));
}

/** What a payment's ending needs. */
export interface Facts {
  /** With which the ending is settled. */
  readonly requirements: PaymentRequirements;
  /** Last second to put the intent on chain, unix. */
  readonly authorizeBy: number;
  /** Last second for captures, unix. */
  readonly captureDeadline: number;
}

/** A change of a hold. What is absent is as it was. */
export interface Line extends Partial<Facts> {
  readonly hold: string;
  readonly state?: HoldState;
  /** How it ends, signed; of one that may be held, the client's payload. */
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
    ...has("state", () => state(HOLD, fields)),
    ...has("requirements", (name) => fields.object(name)),
    ...has("authorizeBy", (name) => fields.integer(name)),
    ...has("captureDeadline", (name) => fields.integer(name)),
    ...has("payload", (name) => fields.object(name)),
    ...has("voucher", (name) => {
      const voucher = new Fields(fields.object(name), name);
      return { amount: voucher.decimal("amount"), state: state(VOUCHER, voucher) };
    }),
    ...has("accepted", (name) => fields.decimal(name)),
    ...has("served", (name) => fields.items(name, (items, place) => items.decimal(place))),
  };
}

/** Amounts are decimal strings. */
export function writeLine(line: Line): unknown {
  return JSON.parse(JSON.stringify(line, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)));
}

function state<State extends string>(table: Readonly<Record<State, unknown>>, fields: Fields): State {
  const text = fields.text("state");
  if (!Object.hasOwn(table, text)) {
    throw new FieldError("state", `there is no ${text}`);
  }
  return text as State;
}
