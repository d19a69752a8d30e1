use borsh::{BorshDeserialize, BorshSerialize};
use solana_address::Address;
use solana_sha256_hasher::hashv;

use super::{Digest, SIGNED_BYTES, TAG_BYTES, signed_bytes};

/// In which order a payment is settled, as x402 names it in `extra.paymentFlow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum PaymentFlow {
    /// `escrow`: hold first, capture or void after the resource was served.
    Escrow = 1,
    /// `authorization`: pay at once, after the resource was served, without a hold.
    Authorization = 2,
}

/// A payer's permission, signed by a session key, to take up to `amount` out of its escrow for one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Intent {
    /// The escrow program.
    pub program: Address,
    /// The session's incarnation: the newest slot hash when it was opened. Binds cluster, fork and session.
    pub incarnation: [u8; 32],
    /// The payer's escrow account, which fixes payer and mint.
    pub escrow: Address,
    /// The key that signs this intent.
    pub session_key: Address,
    /// Who is paid, at its associated token account.
    pub receiver: Address,
    /// Whose signature lets money go to the receiver.
    pub capture_authorizer: Address,
    /// Whose signature lets the payment end at less.
    pub receiver_authorizer: Address,
    /// Who may take a fee out of what is captured; where there is a fee, neither the receiver nor the escrow.
    pub fee_recipient: Address,
    /// The HTTP request that is paid for: [`crate::resource::resource_hash`].
    pub resource_hash: [u8; 32],
    /// The most that can be captured, in base units.
    pub amount: u64,
    /// Unique in the session; starts at 1. See [`crate::replay_window`].
    pub nonce: u64,
    /// Last second at which the intent can be put on chain.
    pub authorize_by: i64,
    /// Last second at which a hold can be captured; after it anyone may reclaim.
    pub capture_deadline: i64,
    /// Until when the receiver promises to give refunds, unix seconds; 0 for no promise. The program only carries it.
    pub refund_deadline: i64,
    /// The most of what is captured that may go to the fee recipient, in basis points.
    pub maximum_fee_bps: u16,
    /// Whether the amount is held first or charged at once.
    pub flow: PaymentFlow,
}

impl Intent {
    /// What the signed bytes start with.
    pub const TAG: [u8; TAG_BYTES] = *b"x402:payment:v1";
    /// Length of the layout in bytes.
    pub const BYTES: usize = 9 * 32 + 5 * 8 + 2 + 1;

    /// SHA-256 of the layout: the payment's identity.
    pub fn digest(&self) -> Digest {
        hashv(&[
            self.program.as_ref(),
            &self.incarnation,
            self.escrow.as_ref(),
            self.session_key.as_ref(),
            self.receiver.as_ref(),
            self.capture_authorizer.as_ref(),
            self.receiver_authorizer.as_ref(),
            self.fee_recipient.as_ref(),
            &self.resource_hash,
            &self.amount.to_le_bytes(),
            &self.nonce.to_le_bytes(),
            &self.authorize_by.to_le_bytes(),
            &self.capture_deadline.to_le_bytes(),
            &self.refund_deadline.to_le_bytes(),
            &self.maximum_fee_bps.to_le_bytes(),
            &[self.flow as u8],
        ])
        .to_bytes()
    }

    /// The bytes that the session key signs.
    pub fn signed_bytes(&self) -> [u8; SIGNED_BYTES] {
        signed_bytes(&Self::TAG, &self.digest())
    }
}
