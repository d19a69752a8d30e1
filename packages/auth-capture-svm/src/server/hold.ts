/** What a merchant knows of one payment, and what of it is on disk. No I/O. */

import type { ChargeEvent } from "../purchase/charge.js";
import { canHappen, nextOf } from "../purchase/machine.js";
import {
  HOLD,
  type HoldEvent,
  type HoldState,
  VOUCHER,
  type VoucherEvent,
  type VoucherState,
} from "../purchase/seller.js";
import { type Charged, chargeLineOf, chargeOnDisk, followCharge, inCharge } from "./charge.js";
import type { Facts, Line } from "./line.js";

/** What is known of one payment. */
export interface Hold extends Charged {
  /** Says nothing of a payment that is charged at once. */
  readonly state: HoldState;
  /** The intent of one that may be held, or the signed capture. A release is signed when it goes out. */
  readonly payload?: Record<string, unknown> | undefined;
  /** The highest voucher that was accepted, in base units. */
  readonly accepted: bigint;
  /** Vouchers that bought something, in base units. */
  readonly served: Set<bigint>;
  /** Vouchers of requests that are under way, by amount. */
  readonly underWay: Map<bigint, "sent" | "serving">;
  /** When it paid for a request last, in milliseconds. */
  readonly usedAt: number;
}

/** What happens to a payment, and to one voucher of it; or to a charge. */
export interface Change {
  /** One after the other. */
  readonly hold?: readonly HoldEvent[] | undefined;
  readonly voucher?: readonly [amount: bigint, event: VoucherEvent] | undefined;
  /** Of a payment that is charged at once; then nothing else happens. */
  readonly charge?: ChargeEvent | undefined;
  readonly facts?: Facts | undefined;
  readonly payload?: Record<string, unknown> | undefined;
  /** The highest voucher that was accepted, where nothing else says so. */
  readonly accepted?: bigint | undefined;
}

/** What is known of a payment that never came. */
export function nothing(): Hold {
  return { state: "offered", charge: "offered", accepted: 0n, served: new Set(), underWay: new Map(), usedAt: 0 };
}

/** The highest voucher that bought something, in base units. */
export function bought({ served }: Hold): bigint {
  return [...served].reduce(most, 0n);
}

function after({ state }: Hold, events: readonly HoldEvent[]): HoldState {
  return events.reduce((before, event) => nextOf(HOLD, before, event), state);
}

function voucherState({ served, underWay }: Hold, amount: bigint): VoucherState {
  return underWay.get(amount) ?? (served.has(amount) ? "served" : "offered");
}

/** Returns whether that can happen now. */
export function canFollow(hold: Hold, event: HoldEvent): boolean {
  return canHappen(HOLD, hold.state, event);
}

/** The same of one of its vouchers. */
export function canVoucherFollow(hold: Hold, amount: bigint, event: VoucherEvent): boolean {
  return canHappen(VOUCHER, voucherState(hold, amount), event);
}

/**
 * Returns what becomes of a hold. Its vouchers are changed in place.
 *
 * @throws {IllegalError} if that can't happen
 */
export function follow(hold: Hold, { hold: events = [], voucher, charge, accepted = 0n, ...more }: Change): Hold {
  if (charge !== undefined) {
    return followCharge(hold, { charge, ...more });
  }
  const state = after(hold, events);
  const is = voucher === undefined ? undefined : nextOf(VOUCHER, voucherState(hold, voucher[0]), voucher[1]);
  return put({ ...hold, state, accepted: most(hold.accepted, accepted) }, more, voucher?.[0], is);
}

/** Returns a hold as a line of the record leaves it. */
export function replay(
  hold: Hold,
  { hold: _id, state, charge, payload = hold.payload, voucher, accepted = 0n, served = [], ...more }: Line,
): Hold {
  const isMore = Object.keys(more).length > 0;
  const facts = isMore ? { authorizeBy: 0, captureDeadline: 0, ...hold.facts, ...more } : hold.facts;
  if (charge !== undefined) {
    return inCharge({ ...hold, facts, payload }, charge);
  }
  served.forEach((amount) => hold.served.add(amount));
  const known = { ...hold, state: state ?? hold.state, accepted: most(hold.accepted, accepted) };
  return put(known, { facts, payload }, voucher?.amount, voucher?.state);
}

/** The hold with what is new of it, and with the new state of a voucher. */
function put(
  hold: Hold,
  { facts = hold.facts, payload = hold.payload }: Pick<Change, "facts" | "payload">,
  amount: bigint | undefined,
  is: VoucherState | undefined,
): Hold {
  const known = {
    ...hold,
    ...(facts === undefined ? {} : { facts }),
    payload: keepsPayload(hold.state) ? payload : undefined,
  };
  if (amount === undefined || is === undefined) {
    return known;
  }
  if (is === "sent" || is === "serving") {
    hold.underWay.set(amount, is);
  } else {
    hold.underWay.delete(amount);
  }
  if (is === "served") {
    hold.served.add(amount);
  }
  const isAccepted = is === "serving" || is === "served";
  return { ...known, accepted: isAccepted ? most(hold.accepted, amount) : hold.accepted, usedAt: Date.now() };
}

/** What of a change is to be on disk, if anything is. Facts alone are not worth a line. */
export function lineOf(
  id: string,
  before: Hold,
  { hold, voucher, charge, facts, payload, accepted }: Change,
): Line | undefined {
  if (charge !== undefined) {
    return chargeLineOf(id, before, { charge, facts, payload });
  }
  const state = after(before, hold ?? []);
  const isChanged = onDisk(state) !== onDisk(before.state);
  const was = voucher === undefined ? "offered" : voucherState(before, voucher[0]);
  const is = voucher === undefined ? was : nextOf(VOUCHER, was, voucher[1]);
  const isVoucherChanged = onDisk(is) !== onDisk(was);
  if (!isChanged && !isVoucherChanged) {
    return undefined;
  }
  return {
    hold: id,
    ...(isChanged ? { state: onDisk(state) } : {}),
    ...(facts === undefined ? {} : facts),
    ...(payload === undefined || !keepsPayload(state) ? {} : { payload }),
    ...(accepted === undefined ? {} : { accepted }),
    ...(isVoucherChanged && voucher !== undefined ? { voucher: { amount: voucher[0], state: onDisk(is) } } : {}),
  };
}

/** Whether anything of a payment is on disk. */
export function isOnDisk({ state, charge }: Hold): boolean {
  return onDisk(state) !== "offered" || chargeOnDisk(charge) !== "offered";
}

/** All that is known of a payment, in a line, and in one more for each voucher that is being served. */
export function whole(id: string, { state, charge, facts, payload, accepted, served, underWay }: Hold): Line[] {
  const serving = [...underWay].filter(([, voucher]) => voucher === "serving");
  return [
    {
      ...(charge === "offered" ? { hold: id, state: onDisk(state) } : { hold: id, charge: chargeOnDisk(charge) }),
      ...facts,
      ...(payload === undefined ? {} : { payload }),
      ...(accepted === 0n ? {} : { accepted }),
      ...(served.size === 0 ? {} : { served: [...served] }),
    },
    ...serving.map(([amount, voucher]): Line => ({ hold: id, voucher: { amount, state: voucher } })),
  ];
}

/** What is being asked is not on disk. */
export function onDisk<State extends HoldState | VoucherState>(state: State): State {
  const kept: Readonly<Record<string, string>> = { sent: "offered", sent_again: "unknown", checking: "unknown" };
  return (kept[state] ?? state) as State;
}

/** Returns whether something goes to the verifier that can't be made anew. */
function keepsPayload(state: HoldState): boolean {
  return ["unknown", "capturing"].includes(onDisk(state));
}

function most(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}
