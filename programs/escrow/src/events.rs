//! What happened, in the past tense. Each instruction logs one of these, unless it had nothing to do. An indexer can
//! follow a payment by them without reading accounts. `interface::event` says what each field is; amounts are base units.

use anchor_lang::{Event, event::sol_log_data, prelude::*};
use bytemuck::Pod;

/// Logs an event. `emit!` would put the code that copies it into every instruction.
pub(crate) fn log<E: Event + Pod>(event: &E) {
    const { assert!(size_of::<E>() <= MAXIMUM_EVENT_BYTES) };
    log_bytes(E::DISCRIMINATOR, bytemuck::bytes_of(event));
}

const DISCRIMINATOR_BYTES: usize = 8;
const MAXIMUM_EVENT_BYTES: usize = size_of::<Authorized>();

#[inline(never)]
fn log_bytes(discriminator: &[u8], event: &[u8]) {
    let mut data = [0; DISCRIMINATOR_BYTES + MAXIMUM_EVENT_BYTES];
    let end = DISCRIMINATOR_BYTES + event.len();
    data[..DISCRIMINATOR_BYTES].copy_from_slice(discriminator);
    data[DISCRIMINATOR_BYTES..end].copy_from_slice(event);
    sol_log_data(&[&data[..end]]);
}

/// An escrow was created.
#[event(bytemuck)]
pub struct EscrowOpened {
    pub escrow: Address,
    pub payer: Address,
    pub mint: Address,
    pub vault: Address,
    pub rent_payer: Address,
}

/// The payer named, changed or removed the guardian.
#[event(bytemuck)]
pub struct GuardianSet {
    pub escrow: Address,
    pub guardian: Address,
}

/// Tokens were moved in.
#[event(bytemuck)]
pub struct Deposited {
    pub escrow: Address,
    pub depositor: Address,
    pub amount: u64,
    pub balance: u64,
    pub refunded_payment: [u8; 32],
}

/// Tokens that had arrived by plain transfer were credited.
#[event(bytemuck)]
pub struct Synced {
    pub escrow: Address,
    pub amount: u64,
    pub balance: u64,
}

/// The payer took free balance out.
#[event(bytemuck)]
pub struct Withdrawn {
    pub escrow: Address,
    pub destination: Address,
    pub amount: u64,
    pub balance: u64,
}

/// An escrow and its vault were closed.
#[event(bytemuck)]
pub struct EscrowClosed {
    pub escrow: Address,
    pub payer: Address,
    pub mint: Address,
    pub destination: Address,
    pub amount: u64,
}

/// A session was created.
#[event(bytemuck)]
pub struct SessionOpened {
    pub escrow: Address,
    pub session: Address,
    pub session_key: Address,
    pub incarnation: [u8; 32],
    pub opened_slot: u64,
    pub expires_at: i64,
    pub maximum_payment: u64,
    pub maximum_total: u64,
    pub maximum_per_period: u64,
    pub period_seconds: u64,
    pub receivers_root: [u8; 32],
}

/// A session's limits were changed.
#[event(bytemuck)]
pub struct SessionUpdated {
    pub escrow: Address,
    pub session: Address,
    pub expires_at: i64,
    pub maximum_payment: u64,
    pub maximum_total: u64,
    pub maximum_per_period: u64,
    pub period_seconds: u64,
    pub receivers_root: [u8; 32],
}

/// A session authorizes nothing any more.
#[event(bytemuck)]
pub struct SessionRevoked {
    pub escrow: Address,
    pub session: Address,
    pub session_key: Address,
    pub incarnation: [u8; 32],
    pub revoker: Address,
}

/// Every session opened up to a slot authorizes nothing any more.
#[event(bytemuck)]
pub struct SessionsRevoked {
    pub escrow: Address,
    pub opened_through_slot: u64,
    pub revoker: Address,
}

/// A session's account was closed.
#[event(bytemuck)]
pub struct SessionClosed {
    pub escrow: Address,
    pub session: Address,
    pub spent: u64,
}

/// An amount was held.
#[event(bytemuck)]
pub struct Authorized {
    pub escrow: Address,
    pub session: Address,
    pub hold: Address,
    pub receiver: Address,
    pub capture_authorizer: Address,
    pub receiver_authorizer: Address,
    pub fee_recipient: Address,
    pub intent_digest: [u8; 32],
    pub resource_hash: [u8; 32],
    pub amount: u64,
    pub nonce: u64,
    pub capture_deadline: i64,
    pub refund_deadline: i64,
    pub maximum_fee_bps: u64,
    pub balance: u64,
    pub held: u64,
    pub spent: u64,
}

/// A receiver was paid out of a hold.
#[event(bytemuck)]
pub struct Captured {
    pub escrow: Address,
    pub session: Address,
    pub hold: Address,
    pub receiver: Address,
    pub intent_digest: [u8; 32],
    pub amount: u64,
    pub fee: u64,
    pub captured: u64,
    pub released: u64,
    pub left: u64,
    pub balance: u64,
    pub held: u64,
}

/// A payment was ended by the receiver authorizer's consent.
#[event(bytemuck)]
pub struct Voided {
    pub escrow: Address,
    pub session: Address,
    pub hold: Address,
    pub intent_digest: [u8; 32],
    pub captured: u64,
    pub released: u64,
    pub left: u64,
    pub balance: u64,
    pub held: u64,
}

/// A hold was ended after its capture deadline; its account is closed.
#[event(bytemuck)]
pub struct Reclaimed {
    pub escrow: Address,
    pub session: Address,
    pub hold: Address,
    pub intent_digest: [u8; 32],
    pub captured: u64,
    pub released: u64,
    pub balance: u64,
    pub held: u64,
}

/// A receiver was paid at once, without a hold.
#[event(bytemuck)]
pub struct Charged {
    pub escrow: Address,
    pub session: Address,
    pub receiver: Address,
    pub capture_authorizer: Address,
    pub receiver_authorizer: Address,
    pub fee_recipient: Address,
    pub intent_digest: [u8; 32],
    pub resource_hash: [u8; 32],
    pub amount: u64,
    pub fee: u64,
    pub nonce: u64,
    pub refund_deadline: i64,
    pub balance: u64,
    pub held: u64,
    pub spent: u64,
}
