/**
 * The escrow program's address. Every cluster has its own, so that nothing signed for one can be
 * used on another.
 */

import type { Address } from "./bytes.js";

/** The program's address on a local cluster such as solana-test-validator's. */
export const LOCAL_PROGRAM: Address = "EscCGhKaoAfdc5duTCF8ofGLLP11LfXnV5AZdontFE3T";

/** Mainnet, devnet and testnet by their CAIP-2 ids: none of them has the program yet. */
const PUBLIC_NETWORKS = [
  "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
  "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
  "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z",
];

/**
 * The program's address on a cluster, unless another is configured; `undefined` where nobody has
 * deployed it yet.
 */
export function programOn(network: string): Address | undefined {
  return PUBLIC_NETWORKS.includes(network) ? undefined : LOCAL_PROGRAM;
}

/** USDC's mint on the networks that have it, as Circle issues it. */
const USDC: Readonly<Record<string, Address>> = {
  "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp": "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
  "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1": "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU",
};

export function isUsdc(mint: Address, network: string): boolean {
  return Object.hasOwn(USDC, network) && USDC[network] === mint;
}
