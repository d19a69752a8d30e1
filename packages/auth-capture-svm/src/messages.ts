/** The four signed messages, byte for byte as `docs/messages.md` has them. */

import { sha256 } from "@noble/hashes/sha2.js";

import { type Address, joined, writeBase58 } from "./bytes.js";
import { Layout } from "./layout.js";

export { sign, verify } from "./ed25519.js";
export { resourceHash, resourceHashOfDigest, streamResourceHash } from "./resource_hash.js";

/** The payer's permission to take up to `amount` out of its escrow for one receiver. */
export interface Intent {
  /** The escrow program. */
  program: Address;
  /** Of the session: 32 bytes. */
  incarnation: Uint8Array;
  /** The payer's escrow, which fixes payer and mint. */
  escrow: Address;
  /** The key that signs. */
  sessionKey: Address;
  /** Who is paid. */
  receiver: Address;
  /** Whose signature lets money go to the receiver. */
  captureAuthorizer: Address;
  /** Whose signature lets the payment end at less. */
  receiverAuthorizer: Address;
  /**
   * Who may take a fee out of what is captured; where there is a fee, neither the receiver nor the
   * escrow.
   */
  feeRecipient: Address;
  /** The HTTP request that is paid for: 32 bytes. */
  resourceHash: Uint8Array;
  /** The most that can be captured, in base units. */
  amount: bigint;
  /**
   * Unique in the session, from 1, and at most 1,024 above the highest that the session has seen.
   */
  nonce: bigint;
  /** Last second to put the intent on chain, unix. */
  authorizeBy: bigint;
  /** Last second to capture, unix. */
  captureDeadline: bigint;
  /**
   * Until when the receiver promises to give refunds, unix; 0 for no promise. The program only
   * carries it.
   */
  refundDeadline: bigint;
  /** The most of what is captured that may be fee, in basis points. */
  maximumFeeBps: number;
  /** `escrow` holds first, `authorization` charges at once. */
  flow: "escrow" | "authorization";
}

/**
 * The capture authorizer's permission to pay the receiver: an upper bound. Of several only the
 * highest matters. Signed by a session key it is a voucher.
 */
export interface Capture {
  /** The payment: 32 bytes. */
  intentDigest: Uint8Array;
  /** The most that may be captured so far, in base units, the fee included. */
  amount: bigint;
  /** The most of `amount` that may have gone to the fee recipient so far, in base units. */
  fee: bigint;
  /** Whether the payment ends at `amount`, all of which is then paid. */
  last: boolean;
}

/** The receiver authorizer's consent that the payment ends at less than its maximum. */
export interface Release {
  /** The payment: 32 bytes. */
  intentDigest: Uint8Array;
  /** What the payment ends at, in base units. */
  amount: bigint;
}

/**
 * The word of an escrow's payer or guardian that sessions authorize nothing more. Anyone can relay
 * it.
 */
export interface Revoke {
  /** The escrow program. */
  program: Address;
  /** The escrow whose sessions are revoked. */
  escrow: Address;
  /** Which of its sessions. */
  sessions: RevokedSession | RevokedSessions;
}

/** One incarnation of one session: a session that is opened again with the same key lives. */
export interface RevokedSession {
  sessionKey: Address;
  /** 32 bytes. */
  incarnation: Uint8Array;
}

/** Every session that was opened in a slot or before. */
export interface RevokedSessions {
  openedThroughSlot: bigint;
}

/** The layout that is hashed: 331 bytes. */
export function intentLayout(intent: Intent): Uint8Array {
  const layout = new Layout(331);
  layout.address(intent.program, "program");
  layout.bytes32(intent.incarnation, "incarnation");
  layout.address(intent.escrow, "escrow");
  layout.address(intent.sessionKey, "sessionKey");
  layout.address(intent.receiver, "receiver");
  layout.address(intent.captureAuthorizer, "captureAuthorizer");
  layout.address(intent.receiverAuthorizer, "receiverAuthorizer");
  layout.address(intent.feeRecipient, "feeRecipient");
  layout.bytes32(intent.resourceHash, "resourceHash");
  layout.unsigned64(intent.amount, "amount");
  layout.unsigned64(intent.nonce, "nonce");
  layout.signed64(intent.authorizeBy, "authorizeBy");
  layout.signed64(intent.captureDeadline, "captureDeadline");
  layout.signed64(intent.refundDeadline, "refundDeadline");
  layout.unsigned16(intent.maximumFeeBps, "maximumFeeBps");
  layout.byte(intent.flow === "escrow" ? 1 : 2);
  return layout.whole();
}

/** The layout that is hashed: 49 bytes. */
export function captureLayout(capture: Capture): Uint8Array {
  const layout = new Layout(49);
  layout.bytes32(capture.intentDigest, "intentDigest");
  layout.unsigned64(capture.amount, "amount");
  layout.unsigned64(capture.fee, "fee");
  layout.byte(capture.last ? 1 : 0);
  return layout.whole();
}

/** The layout that is hashed: 40 bytes. */
export function releaseLayout(release: Release): Uint8Array {
  const layout = new Layout(40);
  layout.bytes32(release.intentDigest, "intentDigest");
  layout.unsigned64(release.amount, "amount");
  return layout.whole();
}

/** The layout that is hashed: 136 bytes. What the message is not about is all zero bytes. */
export function revokeLayout({ program, escrow, sessions }: Revoke): Uint8Array {
  const none = new Uint8Array(32);
  const { sessionKey, incarnation, openedThroughSlot } =
    "sessionKey" in sessions
      ? { ...sessions, openedThroughSlot: 0n }
      : { ...sessions, sessionKey: writeBase58(none), incarnation: none };
  const layout = new Layout(136);
  layout.address(program, "program");
  layout.address(escrow, "escrow");
  layout.address(sessionKey, "sessionKey");
  layout.bytes32(incarnation, "incarnation");
  layout.unsigned64(openedThroughSlot, "openedThroughSlot");
  return layout.whole();
}

/** SHA-256 of the intent's layout: the payment's id. */
export function intentDigest(intent: Intent): Uint8Array {
  return sha256(intentLayout(intent));
}

/** The 47 bytes that a session key signs. */
export function intentSignedBytes(intent: Intent): Uint8Array {
  return tagged("x402:payment:v1", intentDigest(intent));
}

/** The 47 bytes that a capture authorizer signs. */
export function captureSignedBytes(capture: Capture): Uint8Array {
  return tagged("x402:capture:v1", sha256(captureLayout(capture)));
}

/** The 47 bytes that a receiver authorizer signs. */
export function releaseSignedBytes(release: Release): Uint8Array {
  return tagged("x402:release:v1", sha256(releaseLayout(release)));
}

/** The 47 bytes that a payer or guardian signs. */
export function revokeSignedBytes(revoke: Revoke): Uint8Array {
  return tagged("x402:revoked:v1", sha256(revokeLayout(revoke)));
}

function tagged(tag: string, digest: Uint8Array): Uint8Array {
  return joined(new TextEncoder().encode(tag), digest);
}
