//! Public test keys: anyone can make them, so they must never own anything outside a test.

use solana_sdk::signature::Keypair;
use solana_sha256_hasher::hashv;

/// The seed of the key called `name`: SHA-256 of `"x402-escrow public test key: "` and the name.
pub fn test_seed(name: &str) -> [u8; 32] {
    hashv(&[b"x402-escrow public test key: ", name.as_bytes()]).to_bytes()
}

/// The key called `name`.
pub fn test_key(name: &str) -> Keypair {
    Keypair::new_from_array(test_seed(name))
}
