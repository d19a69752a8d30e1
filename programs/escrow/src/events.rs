//! What happened, in the past tense. Each instruction logs one of these; amounts are base units.

use anchor_lang::prelude::*;

#[event(bytemuck)]
pub struct EscrowOpened {
    pub escrow: Address,
    pub payer: Address,
    pub mint: Address,
    pub withdraw_delay_seconds: u64,
}

#[event(bytemuck)]
pub struct Deposited {
    pub escrow: Address,
    pub depositor: Address,
    pub amount: u64,
    pub balance: u64,
    pub refunded_intent: [u8; 32],
}

#[event(bytemuck)]
pub struct Synced {
    pub escrow: Address,
    pub amount: u64,
    pub balance: u64,
}

#[event(bytemuck)]
pub struct SessionOpened {
    pub escrow: Address,
    pub session: Address,
    pub session_key: Address,
    pub incarnation: [u8; 32],
    pub expires_at: i64,
}

#[event(bytemuck)]
pub struct SessionUpdated {
    pub escrow: Address,
    pub session: Address,
    pub expires_at: i64,
    pub maximum_payment: u64,
    pub maximum_total: u64,
    pub maximum_per_period: u64,
    pub period_seconds: u64,
    pub receiver: Address,
}

#[event(bytemuck)]
pub struct SessionRevoked {
    pub escrow: Address,
    pub session: Address,
}

#[event(bytemuck)]
pub struct SessionClosed {
    pub escrow: Address,
    pub session: Address,
}

#[event(bytemuck)]
pub struct Authorized {
    pub escrow: Address,
    pub session: Address,
    pub hold: Address,
    pub receiver: Address,
    pub intent_digest: [u8; 32],
    pub resource_hash: [u8; 32],
    pub amount: u64,
    pub nonce: u64,
}

#[event(bytemuck)]
pub struct Captured {
    pub escrow: Address,
    pub receiver: Address,
    pub intent_digest: [u8; 32],
    /// What this capture moved, the fee included.
    pub amount: u64,
    /// The part of `amount` that went to the fee recipient.
    pub fee: u64,
    /// All that was captured so far.
    pub captured: u64,
    /// What went back to the free balance because the capture was the last.
    pub released: u64,
}

#[event(bytemuck)]
pub struct Voided {
    pub escrow: Address,
    pub intent_digest: [u8; 32],
    pub released: u64,
}

#[event(bytemuck)]
pub struct Reclaimed {
    pub escrow: Address,
    pub intent_digest: [u8; 32],
    pub released: u64,
}

#[event(bytemuck)]
pub struct Refunded {
    pub escrow: Address,
    pub intent_digest: [u8; 32],
    pub amount: u64,
    pub balance: u64,
}

#[event(bytemuck)]
pub struct HoldClosed {
    pub session: Address,
    pub intent_digest: [u8; 32],
}

#[event(bytemuck)]
pub struct WithdrawalRequested {
    pub escrow: Address,
    pub amount: u64,
    pub withdrawable_at: i64,
}

#[event(bytemuck)]
pub struct WithdrawalCancelled {
    pub escrow: Address,
    pub amount: u64,
}

#[event(bytemuck)]
pub struct Withdrawn {
    pub escrow: Address,
    pub destination: Address,
    pub amount: u64,
    pub balance: u64,
}

#[event(bytemuck)]
pub struct EscrowClosed {
    pub escrow: Address,
    pub payer: Address,
    pub mint: Address,
}

#[event(bytemuck)]
pub struct Charged {
    pub escrow: Address,
    pub session: Address,
    pub receiver: Address,
    pub intent_digest: [u8; 32],
    pub resource_hash: [u8; 32],
    /// What was paid, the fee included.
    pub amount: u64,
    /// The part of `amount` that went to the fee recipient.
    pub fee: u64,
    pub nonce: u64,
}
