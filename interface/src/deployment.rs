//! The program's address on each cluster. Every cluster has its own, so that nothing signed for one can be used on
//! another: an intent names the program.

use solana_address::{Address, address};

/// The program's address on a local cluster such as solana-test-validator's.
pub const LOCAL_PROGRAM_ID: Address = address!("EscCGhKaoAfdc5duTCF8ofGLLP11LfXnV5AZdontFE3T");

/// The public clusters by their CAIP-2 names, none of which has the program yet.
const PUBLIC_NETWORKS: [&str; 3] = [
    "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
    "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
    "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z",
];

/// The program's address on `network` (a CAIP-2 name), unless another is configured; `None` on a public cluster where
/// nobody has deployed it yet.
pub fn program_id(network: &str) -> Option<Address> {
    (!PUBLIC_NETWORKS.contains(&network)).then_some(LOCAL_PROGRAM_ID)
}
