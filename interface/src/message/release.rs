use borsh::{BorshDeserialize, BorshSerialize};
use solana_sha256_hasher::hashv;

use super::{Digest, SIGNED_BYTES, TAG_BYTES, signed_bytes};

/// The receiver authorizer's consent that a payment ends at less than its maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Release {
    /// The payment: digest of its intent.
    pub intent_digest: Digest,
    /// What the payment ends at, in base units; all above it goes back to the escrow's free balance.
    pub amount: u64,
}

impl Release {
    /// What the signed bytes start with.
    pub const TAG: [u8; TAG_BYTES] = *b"x402:release:v1";
    /// Length of the layout in bytes.
    pub const BYTES: usize = 32 + 8;

    /// SHA-256 of the layout.
    pub fn digest(&self) -> Digest {
        hashv(&[&self.intent_digest, &self.amount.to_le_bytes()]).to_bytes()
    }

    /// The bytes that the receiver authorizer signs.
    pub fn signed_bytes(&self) -> [u8; SIGNED_BYTES] {
        signed_bytes(&Self::TAG, &self.digest())
    }
}
