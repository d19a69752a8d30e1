use borsh::{BorshDeserialize, BorshSerialize};
use solana_sha256_hasher::hashv;

use super::{Digest, SIGNED_BYTES, TAG_BYTES, signed_bytes};

/// The capture authorizer's permission to pay the receiver: an upper bound. Amounts are cumulative over the payment's
/// life, so a repeat changes nothing and of several only the highest matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Capture {
    /// The payment: digest of its intent.
    pub intent_digest: Digest,
    /// The most that may be captured so far, in base units, this capture included.
    pub amount: u64,
    /// The most that may have gone to the intent's fee recipient so far, in base units; a part of `amount`.
    pub fee: u64,
    /// Whether the payment ends at `amount`, all of which is then paid. Only where the capture authorizer is the receiver
    /// authorizer too.
    pub last: bool,
}

impl Capture {
    /// What the signed bytes start with.
    pub const TAG: [u8; TAG_BYTES] = *b"x402:capture:v1";
    /// Length of the layout in bytes.
    pub const BYTES: usize = 32 + 8 + 8 + 1;

    /// SHA-256 of the layout.
    pub fn digest(&self) -> Digest {
        hashv(&[
            &self.intent_digest,
            &self.amount.to_le_bytes(),
            &self.fee.to_le_bytes(),
            &[u8::from(self.last)],
        ])
        .to_bytes()
    }

    /// The bytes that the capture authorizer signs.
    pub fn signed_bytes(&self) -> [u8; SIGNED_BYTES] {
        signed_bytes(&Self::TAG, &self.digest())
    }
}
