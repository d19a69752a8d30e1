/** What a merchant knows of a payment that is charged at once, and what of it is on disk. No I/O. */

import { CHARGE, type ChargeEvent, type ChargeState } from "../purchase/charge.js";
import { canHappen, nextOf } from "../purchase/machine.js";
import type { Facts, Line } from "./line.js";

/** What is known of a payment, as far as a charge needs it. */
export interface Charged {
  /** Of a payment that is charged at once; `offered` of every other. */
  readonly charge: ChargeState;
  /** Absent as long as it is not on disk. */
  readonly facts?: Facts | undefined;
  /** What goes to the verifier and can't be made anew: of a charge, the intent with its capture. */
  readonly payload?: Record<string, unknown> | undefined;
}

/** What happens to a charge, with what is to be kept of it. */
interface ChargeChange {
  readonly charge: ChargeEvent;
  readonly facts?: Facts | undefined;
  readonly payload?: Record<string, unknown> | undefined;
}

/** Returns whether that can happen now. */
export function canChargeFollow({ charge }: Charged, event: ChargeEvent): boolean {
  return canHappen(CHARGE, charge, event);
}

/**
 * Returns what becomes of a charge.
 *
 * @throws {IllegalError} if that can't happen
 */
export function followCharge<T extends Charged>(known: T, { charge: event, facts, payload }: ChargeChange): T {
  const charge = nextOf(CHARGE, known.charge, event);
  return chargeOnDisk(charge) === chargeOnDisk(known.charge)
    ? { ...known, charge }
    : inCharge({ ...known, facts: known.facts ?? facts, payload: payload ?? known.payload }, charge);
}

/** The payment in a state, with what that needs and no more. */
export function inCharge<T extends Charged>(known: T, charge: ChargeState): T {
  switch (chargeOnDisk(charge)) {
    case "offered":
      return { ...known, charge, facts: undefined, payload: undefined };
    case "served":
      return {
        ...known,
        charge,
        facts: known.facts && { ...known.facts, requirements: undefined },
        payload: undefined,
      };
    default:
      return { ...known, charge };
  }
}

/** What of a change is to be on disk, if anything is. */
export function chargeLineOf(id: string, before: Charged, { charge, facts, payload }: ChargeChange): Line | undefined {
  const after = chargeOnDisk(nextOf(CHARGE, before.charge, charge));
  if (after === chargeOnDisk(before.charge)) {
    return undefined;
  }
  return {
    ...{ hold: id, charge: after },
    ...(before.facts === undefined ? facts : {}),
    ...(payload === undefined ? {} : { payload }),
  };
}

/** The state that is on disk meanwhile: what is left of it after a crash. */
export function chargeOnDisk(state: ChargeState): ChargeState {
  return nextOf(CHARGE, state, "crashed");
}
