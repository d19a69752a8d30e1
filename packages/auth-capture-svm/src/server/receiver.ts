/** Checks whether the receiver can be paid: before anything is sold, and every minute from then on. */

import { formatAmount } from "../amount.js";
import type { Address } from "../bytes.js";
import { Fields } from "../fields.js";
import { type Facilitator, FacilitatorError } from "./facilitator.js";

const SOL_DECIMALS = 9;

/** A token account can be closed or frozen while a merchant runs. */
const INTERVAL_MILLISECONDS = 60_000;

/** Whom the facilitator is asked about, and the token. */
interface Receiver {
  readonly facilitator: Facilitator;
  readonly payTo: Address;
  readonly mint: Address;
}

/** The token's decimals if the receiver can be paid, why every payment would be refused, or why neither is known. */
type Told = { readonly decimals: number } | { readonly hindrance: string } | { readonly unknown?: string };

/**
 * Asks the facilitator about the receiver's token account, and returns the token's decimals. Where it
 * can't tell, the log says so and the result is `undefined`: each payment is checked again.
 *
 * @throws if nothing could be captured: then every payment would be refused
 */
export async function checkReceiver(receiver: Receiver): Promise<number | undefined> {
  const told = await ask(receiver);
  if ("hindrance" in told) {
    throw new Error(told.hindrance);
  }
  if ("decimals" in told) {
    return told.decimals;
  }
  if (told.unknown !== undefined) {
    const { payTo, mint } = receiver;
    console.warn(`it is not known whether ${payTo} has a token account for ${mint}: ${told.unknown}`);
  }
  return undefined;
}

/** Asks the same from time to time, until the returned function is called. The log has each change once. */
export function followReceiver(receiver: Receiver): () => void {
  let hindrance: string | undefined;
  let isLooking = false;
  let isClosed = false;
  const look = async (): Promise<void> => {
    isLooking = true;
    const told = await ask(receiver);
    isLooking = false;
    // A silent facilitator is logged where it is asked who pays fees.
    const isKnown = "decimals" in told || "hindrance" in told;
    const now = "hindrance" in told ? told.hindrance : undefined;
    if (isClosed || !isKnown || now === hindrance) {
      return;
    }
    hindrance = now;
    if (now === undefined) {
      console.warn(`${receiver.payTo} can be paid in ${receiver.mint} again`);
    } else {
      console.error(`nothing can be sold, and nothing that is held be captured: ${now}`);
    }
  };
  const tick = (): void => {
    // An answer that took long must not come after a later one.
    if (!isLooking) {
      void look();
    }
  };
  const timer = setInterval(tick, INTERVAL_MILLISECONDS).unref();
  return () => {
    isClosed = true;
    clearInterval(timer);
  };
}

async function ask({ facilitator, payTo, mint }: Receiver): Promise<Told> {
  let answer: unknown;
  try {
    answer = await facilitator.ask(`/receivers/${payTo}/${mint}`);
  } catch (error) {
    const { status, message } = error as FacilitatorError;
    if (status === 422) {
      return { hindrance: `token.mint: ${mint} is no token on the facilitator's cluster; name the mint's address` };
    }
    return status === 404 ? {} : { unknown: message }; // Other facilitators have no such route.
  }
  try {
    return read(answer, payTo, mint);
  } catch (error) {
    return { unknown: (error as Error).message };
  }
}

function read(answer: unknown, payTo: Address, mint: Address): Told {
  const fields = new Fields(answer, "the facilitator's answer about the receiver");
  if (fields.boolean("canReceive")) {
    return { decimals: fields.integer("decimals") };
  }
  const rent = formatAmount(fields.decimal("rentLamports"), SOL_DECIMALS);
  const hindrance =
    `payTo: ${payTo} has no token account for ${mint} that can receive (${fields.address("tokenAccount")}), so every ` +
    `payment would be refused. Create it, for ${rent} SOL of rent: spl-token create-account ${mint} --owner ` +
    `${payTo} --fee-payer KEYPAIR.json. If it exists, it is frozen: ask the token's issuer to thaw it`;
  return { hindrance };
}
