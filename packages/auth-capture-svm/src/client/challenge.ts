/** What a server asks for. */

import type { PaymentRequirements } from "@x402/core/types";

import { Fields } from "../fields.js";
import { SCHEME } from "../wire.js";
import type { Session } from "./session.js";

/** The longest challenge that is read, in characters. The answer's body is not. */
const LONGEST_CHARACTERS = 64 * 1024;

/** The scheme's offers in a challenge. */
export interface Challenge {
  readonly extensions: Readonly<Record<string, unknown>> | undefined;
  /** On the session's cluster; only the fields that are signed or sent back. */
  readonly offers: readonly PaymentRequirements[];
}

/** Reads the challenge of a 402; `undefined` if it is none of version 2. */
export function readChallenge({ headers }: Response, session: Session): Challenge | undefined {
  const header = headers.get("payment-required") ?? "";
  if (header === "" || header.length > LONGEST_CHARACTERS) {
    return undefined;
  }
  try {
    const json = JSON.parse(Buffer.from(header, "base64").toString()) as unknown;
    const fields = new Fields(json, "the challenge");
    if (fields.integer("x402Version") !== 2) {
      return undefined;
    }
    const offers = fields.items("accepts", (items, place) => items.object(place));
    const isOurs = ({ scheme, network }: Record<string, unknown>): boolean =>
      scheme === SCHEME && network === session.network;
    return {
      extensions: fields.has("extensions") ? fields.object("extensions") : undefined,
      offers: offers.filter(isOurs).map(readOffer),
    };
  } catch {
    return undefined;
  }
}

function readOffer(offer: Record<string, unknown>): PaymentRequirements {
  const fields = new Fields(offer, "accepts");
  return {
    scheme: fields.text("scheme"),
    network: fields.text("network") as PaymentRequirements["network"],
    amount: fields.text("amount"),
    asset: fields.text("asset"),
    payTo: fields.address("payTo"),
    maxTimeoutSeconds: fields.integer("maxTimeoutSeconds"),
    extra: fields.object("extra"),
  };
}
