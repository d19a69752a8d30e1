/** A session, an offer and what a verifier would draft for it; tests alter one thing each. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

import type { PaymentRequirements } from "@x402/core/types";

import { LOCAL_PROGRAM } from "../src/deployment.js";
import { parseSession, type Session } from "../src/client/session.js";
import { publicKey } from "../src/ed25519.js";
import { writeBase58, writeHex } from "../src/bytes.js";

/** An address of which every byte is `byte`. */
export function address(byte: number): string {
  return writeBase58(new Uint8Array(32).fill(byte));
}

const folder = mkdtempSync(join(tmpdir(), "x402-fixture-"));
after(() => rmSync(folder, { recursive: true }));

let files = 0;

/** A file that nothing else uses. */
export function freshFile(): string {
  files += 1;
  return join(folder, `${files}.json`);
}

/** A merchant's key, and its address. */
export const AUTHORIZER = new Uint8Array(32).fill(8);
export const AUTHORIZER_ADDRESS = writeBase58(publicKey(AUTHORIZER));
export const NETWORK = "solana:test";
export const AGENT_SEED = new Uint8Array(32).fill(7);
export const NOW = 1_700_000_000;
export const RESOURCE_HASH = new Uint8Array(32).fill(6);

/** What a session file has. */
export function sessionJson(): Record<string, unknown> {
  return {
    network: "solana:test",
    program: LOCAL_PROGRAM,
    escrow: address(1),
    mint: address(2),
    decimals: 6,
    sessionKey: writeBase58(publicKey(AGENT_SEED)),
    incarnation: address(3),
    expiresAt: 4_000_000_000,
    verifier: "http://127.0.0.1:1",
    secretKey: writeBase58(AGENT_SEED),
  };
}

/** A session that has used no nonce. */
export function session(changes: Record<string, unknown> = {}): Session {
  return parseSession({ ...sessionJson(), ...changes }, freshFile());
}

export function offer(): PaymentRequirements {
  return {
    scheme: "auth-capture",
    network: "solana:test",
    amount: "1000",
    asset: address(2),
    payTo: address(5),
    maxTimeoutSeconds: 60,
    extra: {
      paymentFlow: "escrow",
      program: LOCAL_PROGRAM,
      feePayer: address(4),
      captureAuthorizer: address(5),
      receiverAuthorizer: address(5),
      captureDeadline: NOW + 600,
      maxFeeBps: 0,
      resourceHash: writeHex(RESOURCE_HASH),
    },
  };
}

/** Who pays fees of what `offer` is. */
export const FEE_PAYER = { deployment: { feePayer: address(4) }, refused: () => {} };

export function draft(): Record<string, unknown> {
  const { escrow, sessionKey, incarnation } = session();
  return { escrow, sessionKey, incarnation, nonce: "1", authorizeBy: NOW + 60 };
}
