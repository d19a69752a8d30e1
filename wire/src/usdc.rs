//! USDC, as Circle issues it on Solana.

/// Its decimals, everywhere.
pub const DECIMALS: u8 = 6;

/// Its mint on mainnet.
pub const MAINNET_MINT: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";

/// Its mint on devnet.
pub const DEVNET_MINT: &str = "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU";

/// Its mint on a network, given as a CAIP-2 id; `None` where there is none.
pub fn mint(network: &str) -> Option<&'static str> {
    match network {
        "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp" => Some(MAINNET_MINT),
        "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1" => Some(DEVNET_MINT),
        _ => None,
    }
}
