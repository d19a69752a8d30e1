/** What a merchant and its routes are set up with. */

import type { Price } from "@x402/core/types";

import { type Address, readBase58 } from "../bytes.js";
import type { IdentifierOffer } from "../payment_identifier.js";
import { isDecimals } from "./price.js";
import { type Commitment, COMMITMENTS, MINIMUM_CAPTURE_SECONDS } from "./terms.js";

/** The longest that the program lets money be held, in seconds. */
const MAXIMUM_CAPTURE_SECONDS = 30 * 24 * 60 * 60;

/** What a merchant sets up once. */
export interface MerchantConfig {
  /** Base URL of the facilitator, which settles. */
  readonly facilitator: string;
  /**
   * Base URL under which clients reach the routes, as `https://shop.example`. `"host"` takes each
   * request's own `Host` header instead, which any client can write.
   */
  readonly publicUrl: string;
  /** Signs captures and releases: what `readKeypair` returns, or a 32-byte seed. */
  readonly authorizer: Uint8Array;
  /** The escrow program; if absent, a local cluster's. Public clusters have no default. */
  readonly program?: Address | undefined;
  /** What is paid with. Its decimals may be absent where the facilitator knows them. */
  readonly token: { readonly mint: Address; readonly decimals?: number };
  /**
   * Folder of what was sold and is not over, and of signed captures. One process at a
   * time uses it. It must outlive the process.
   */
  readonly state: string;
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
  /**
   * Whether streamed holds are closed here; `true` if absent. `false` where several instances take
   * vouchers of one hold: the release that one signs would take back what another sold meanwhile. The
   * facilitator captures the last voucher before the deadline then.
   */
  readonly closesStreams?: boolean;
  /** What asks the facilitator; the global `fetch` if absent. */
  readonly fetch?: typeof fetch;
}

/** How a route is paid beyond its price. */
export interface PriceOptions {
  /** How final the hold must be, or the charge; the facilitator's policy if absent. */
  readonly commitment?: Commitment;
  /**
   * What is held once for many requests: each brings a voucher over the price, which touches no
   * chain. The hold pays for every streamed route under the same origin.
   */
  readonly hold?: Price;
  /**
   * Whether the price is held before the handler runs, and captured after it. If absent it is charged at once, after the
   * handler has answered and before its answer leaves, in one transaction and without rent. Nothing of the answer leaves
   * unpaid then, but the handler's work may turn out unpaid, so one that has effects of its own is better held for.
   */
  readonly held?: boolean;
  /**
   * Whether clients may or must give each purchase an id, by which a repeat is answered like the
   * first.
   */
  readonly identified?: IdentifierOffer;
}

/**
 * Checks what can be checked without asking anybody.
 *
 * @throws naming the first setting that is wrong
 */
export function checkConfig(config: MerchantConfig): void {
  const { token, payTo, program, captureCommitment } = config;
  readBase58(token.mint, 32, "token.mint");
  if (token.decimals !== undefined && !isDecimals(token.decimals)) {
    throw new TypeError(`token.decimals: expected an integer from 0 to 255, not ${token.decimals}`);
  }
  if (payTo !== undefined) {
    readBase58(payTo, 32, "payTo");
  }
  if (program !== undefined) {
    readBase58(program, 32, "program");
  }
  checkSeconds(config, "captureWindowSeconds", 2 * MINIMUM_CAPTURE_SECONDS, MAXIMUM_CAPTURE_SECONDS);
  checkSeconds(config, "refundWindowSeconds", 0, 0xffff_ffff);
  checkSeconds(config, "streamIdleSeconds", 1, MAXIMUM_CAPTURE_SECONDS);
  checkCommitment(captureCommitment, "captureCommitment");
}

/** @throws if it is neither absent nor one that there is */
export function checkCommitment(commitment: Commitment | undefined, field: string): void {
  if (commitment !== undefined && !COMMITMENTS.includes(commitment)) {
    throw new TypeError(`${field}: expected one of ${COMMITMENTS.join(", ")}, not ${String(commitment)}`);
  }
}

type Seconds = "captureWindowSeconds" | "refundWindowSeconds" | "streamIdleSeconds";

function checkSeconds(config: MerchantConfig, field: Seconds, least: number, most: number): void {
  const seconds = config[field];
  if (seconds !== undefined && !(Number.isInteger(seconds) && seconds >= least && seconds <= most)) {
    throw new TypeError(`${field}: expected whole seconds from ${least} to ${most}, not ${seconds}`);
  }
}
