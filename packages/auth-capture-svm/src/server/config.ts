/** What a merchant and its routes are set up with. */

import type { FacilitatorClient } from "@x402/core/server";
import type { Price } from "@x402/core/types";

import type { Address } from "../bytes.js";
import type { IdentifierOffer } from "../payment_identifier.js";
import type { Token } from "./price.js";
import type { Commitment } from "./terms.js";

/** What a merchant sets up once. */
export interface MerchantConfig {
  /** Settles: `new HTTPFacilitatorClient({ url })`. The same that `x402ResourceServer` gets. */
  readonly facilitator: FacilitatorClient;
  /** Signs captures and releases: what `readKeypair` returns, or a 32-byte seed. */
  readonly authorizer: Uint8Array;
  /** The escrow program; if absent, a local cluster's. Public clusters have no default. */
  readonly program?: Address | undefined;
  /** What is paid with. */
  readonly token: Token;
  /**
   * File of the signed captures and releases that are not final yet. One merchant at a time uses
   * it.
   */
  readonly unsettled: string;
  /** Who is paid, at its associated token account; the authorizer's address if absent. */
  readonly payTo?: Address;
  /** From challenge to capture deadline; an hour if absent. */
  readonly captureWindowSeconds?: number;
  /** For how long after the capture deadline refunds are promised; 0, for no promise, if absent. */
  readonly refundWindowSeconds?: number;
  /**
   * How final a capture must be before the facilitator says yes; its own policy, which may do
   * without the chain, if absent.
   */
  readonly captureCommitment?: Commitment;
  /**
   * How long nobody must have used a streamed hold before it is captured and closed; a minute if
   * absent.
   */
  readonly streamIdleSeconds?: number;
}

/** How a route is paid beyond its price. */
export interface PriceOptions {
  /** How final the hold must be; the facilitator's policy if absent. */
  readonly commitment?: Commitment;
  /**
   * What is held once for many requests: each brings a voucher over the price, which touches no
   * chain. The hold pays for every streamed route under the same origin.
   */
  readonly hold?: Price;
  /**
   * Whether clients may or must give each purchase an id, by which a repeat is answered like the
   * first. Needs `wrap` around the payment middleware.
   */
  readonly identified?: IdentifierOffer;
}
