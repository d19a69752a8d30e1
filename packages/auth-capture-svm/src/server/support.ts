/**
 * What the facilitator settles: its cluster, the escrow program that the merchant trusts there, and
 * who pays fees now. The last changes while a merchant runs.
 */

import type { SupportedKind, SupportedResponse } from "@x402/core/types";

import type { Address } from "../bytes.js";
import { LOCAL_PROGRAM, programOn } from "../deployment.js";
import { Fields } from "../fields.js";
import { INVALID_EXTRA } from "../reasons.js";
import { SCHEME } from "../wire.js";
import type { Facilitator } from "./facilitator.js";

/** How often the facilitator is asked again who pays fees. */
const INTERVAL_MILLISECONDS = 60_000;

export interface Deployment {
  readonly network: SupportedKind["network"];
  readonly program: Address;
  readonly feePayer: Address;
  /** What the facilitator says of it. */
  readonly kind: SupportedKind;
}

/** A deployment, kept up to date. */
export class Support {
  readonly #facilitator: Facilitator;
  readonly #timer: NodeJS.Timeout;
  #deployment: Deployment;

  private constructor(facilitator: Facilitator, deployment: Deployment) {
    this.#facilitator = facilitator;
    this.#deployment = deployment;
    this.#timer = setInterval(() => void this.#refresh(), INTERVAL_MILLISECONDS).unref();
  }

  /** @throws if the facilitator doesn't answer, or doesn't settle for the merchant's program */
  static async of(facilitator: Facilitator, configured: Address | undefined): Promise<Support> {
    return new Support(facilitator, deploymentOf(await facilitator.getSupported(), configured));
  }

  /** As it was last told. */
  get deployment(): Deployment {
    return this.#deployment;
  }

  /** Looks at once whether another pays fees, if that is a reason why a payment was refused. */
  refused(reason: string | undefined): void {
    if (reason === INVALID_EXTRA) {
      void this.#refresh();
    }
  }

  /** Stops asking. */
  close(): void {
    clearInterval(this.#timer);
  }

  async #refresh(): Promise<void> {
    const { program, network } = this.#deployment;
    try {
      const now = deploymentOf(await this.#facilitator.getSupported(), program);
      if (now.network !== network) {
        throw new Error(`it is on ${now.network} now`);
      }
      this.#deployment = now;
    } catch (error) {
      console.warn(`the facilitator does not name its fee payer now: ${(error as Error).message}`);
    }
  }
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
  for (const kind of ours) {
    const { network, extra } = kind;
    const program = configured ?? programOn(network);
    if (program !== undefined && extra?.["program"] === program) {
      const feePayer = new Fields(extra, "the facilitator's supported extra").address("feePayer");
      return { network, program, feePayer, kind };
    }
  }
  const offered = ours.map(({ network, extra }) => `${String(extra?.["program"])} on ${network}`).join(", ");
  const wanted = configured ?? `${LOCAL_PROGRAM} on a local cluster; to trust another, set the merchant's program`;
  throw new Error(`the facilitator settles ${SCHEME} of ${offered || "no escrow program"}, and not of ${wanted}`);
}
