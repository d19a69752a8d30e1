/**
 * Where a merchant is paid: the facilitator's cluster, and the escrow program that the merchant
 * trusts there.
 */

import type { SupportedKind, SupportedResponse } from "@x402/core/types";

import type { Address } from "../bytes.js";
import { LOCAL_PROGRAM, programOn } from "../deployment.js";
import { SCHEME } from "../wire.js";

export interface Deployment {
  readonly network: SupportedKind["network"];
  readonly program: Address;
}

/**
 * The cluster on which the facilitator settles for the merchant's program. A program that only the
 * facilitator names is not taken: the program has the money.
 *
 * @param configured the merchant's program; the cluster's default if absent
 * @throws if there is no such cluster
 */
export function deploymentOf({ kinds }: SupportedResponse, configured: Address | undefined): Deployment {
  const ours = kinds.filter(({ scheme }) => scheme === SCHEME);
  for (const { network, extra } of ours) {
    const program = configured ?? programOn(network);
    if (program !== undefined && extra?.["program"] === program) {
      return { network, program };
    }
  }
  const offered = ours.map(({ network, extra }) => `${String(extra?.["program"])} on ${network}`).join(", ");
  const wanted = configured ?? `${LOCAL_PROGRAM} on a local cluster; to trust another, set the merchant's program`;
  throw new Error(`the facilitator settles ${SCHEME} of ${offered || "no escrow program"}, and not of ${wanted}`);
}
