/** Checks before anything is sold whether the receiver can be paid. */

import { formatAmount } from "../amount.js";
import type { Address } from "../bytes.js";
import { Fields } from "../fields.js";
import { type Facilitator, FacilitatorError } from "./facilitator.js";

const SOL_DECIMALS = 9;

/**
 * Asks the facilitator about the receiver's token account, and returns the token's decimals. Where it
 * can't tell, the log says so and the result is `undefined`: each payment is checked again.
 *
 * @throws if nothing could be captured: then every payment would be refused
 */
export async function checkReceiver(
  facilitator: Facilitator,
  receiver: Address,
  mint: Address,
): Promise<number | undefined> {
  let answer: unknown;
  try {
    answer = await facilitator.ask(`/receivers/${receiver}/${mint}`);
  } catch (error) {
    const { status, message } = error as FacilitatorError;
    if (status === 422) {
      throw new Error(`token.mint: ${mint} is no token on the facilitator's cluster; name the mint's address`);
    }
    if (status === 404) {
      return undefined; // Other facilitators have no such route.
    }
    console.warn(`it is not known whether ${receiver} has a token account for ${mint}: ${message}`);
    return undefined;
  }
  const fields = new Fields(answer, "the facilitator's answer about the receiver");
  if (!fields.boolean("canReceive")) {
    const rent = formatAmount(fields.decimal("rentLamports"), SOL_DECIMALS);
    throw new Error(
      `payTo: ${receiver} has no token account for ${mint} that can receive (${fields.address("tokenAccount")}), so every ` +
        `payment would be refused. Create it, for ${rent} SOL of rent: spl-token create-account ${mint} --owner ` +
        `${receiver} --fee-payer KEYPAIR.json`,
    );
  }
  return fields.integer("decimals");
}
