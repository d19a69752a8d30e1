use borsh::{BorshDeserialize, BorshSerialize};
use solana_address::Address;
use solana_sha256_hasher::hashv;

use super::{Digest, SIGNED_BYTES, TAG_BYTES, signed_bytes};

/// The word of an escrow's payer or guardian that sessions authorize nothing more. Anyone can relay it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Revoke {
    /// The escrow program.
    pub program: Address,
    /// The escrow whose sessions are revoked.
    pub escrow: Address,
    /// The session's key; all zero bytes for every session opened up to `opened_through_slot`.
    pub session_key: Address,
    /// The session's incarnation, so that a session opened again with the same key lives; all zero bytes for every
    /// session.
    pub incarnation: [u8; 32],
    /// Sessions opened in this slot or before; 0 for the one session that is named.
    pub opened_through_slot: u64,
}

/// Which sessions a [`Revoke`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokeScope {
    /// One incarnation of one session.
    Session {
        /// The session's key.
        session_key: Address,
        /// The session's incarnation.
        incarnation: [u8; 32],
    },
    /// Every session opened in this slot or before.
    OpenedThroughSlot(u64),
}

impl Revoke {
    /// What the signed bytes start with.
    pub const TAG: [u8; TAG_BYTES] = *b"x402:revoked:v1";
    /// Length of the layout in bytes.
    pub const BYTES: usize = 4 * 32 + 8;

    /// The message for these sessions of `escrow`.
    pub fn new(program: Address, escrow: Address, scope: RevokeScope) -> Self {
        let (session_key, incarnation, opened_through_slot) = match scope {
            RevokeScope::Session { session_key, incarnation } => (session_key, incarnation, 0),
            RevokeScope::OpenedThroughSlot(slot) => (Address::default(), [0; 32], slot),
        };
        Self { program, escrow, session_key, incarnation, opened_through_slot }
    }

    /// SHA-256 of the layout.
    pub fn digest(&self) -> Digest {
        hashv(&[
            self.program.as_ref(),
            self.escrow.as_ref(),
            self.session_key.as_ref(),
            &self.incarnation,
            &self.opened_through_slot.to_le_bytes(),
        ])
        .to_bytes()
    }

    /// The bytes that the payer or the guardian signs.
    pub fn signed_bytes(&self) -> [u8; SIGNED_BYTES] {
        signed_bytes(&Self::TAG, &self.digest())
    }
}
