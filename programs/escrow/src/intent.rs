//! A payer's signed intent, as it reaches the program: in part as arguments, in part as accounts.

use anchor_lang::prelude::*;
use x402_escrow_interface::message::{
    Digest, Intent, MAXIMUM_CAPTURE_SECONDS, MAXIMUM_REFUND_SECONDS, PaymentFlow,
};

use crate::{error::EscrowError, signature, state::Session};

/// The part of an intent that the accounts don't give, and its signature. [`Intent`] says what each field means.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy)]
pub struct IntentTerms {
    pub amount: u64,
    pub nonce: u64,
    pub authorize_by: i64,
    pub capture_deadline: i64,
    pub refund_deadline: i64,
    pub maximum_fee_bps: u16,
    pub resource_hash: [u8; 32],
    /// By the session key, over the intent.
    pub signature: [u8; 64],
}

impl IntentTerms {
    /// The bounds of an intent's times and fee at `now` (unix seconds).
    pub(crate) fn check(&self, now: i64) -> Result<()> {
        require!(self.amount > 0, EscrowError::ZeroAmount);
        require!(now <= self.authorize_by, EscrowError::IntentExpired);
        require!(
            self.authorize_by <= self.capture_deadline
                && (self.refund_deadline == 0 || self.capture_deadline <= self.refund_deadline),
            EscrowError::DeadlinesOutOfOrder
        );
        require!(
            self.capture_deadline.saturating_sub(now) <= MAXIMUM_CAPTURE_SECONDS,
            EscrowError::CaptureDeadlineTooFar
        );
        require!(
            self.refund_deadline.saturating_sub(self.capture_deadline) <= MAXIMUM_REFUND_SECONDS,
            EscrowError::RefundDeadlineTooFar
        );
        require!(self.maximum_fee_bps <= 10_000, EscrowError::FeeBpsTooHigh);
        Ok(())
    }

    /// Rebuilds the intent as the session key must have signed it, checks the signature, and returns the digest.
    pub(crate) fn verify(
        &self,
        session: &Session,
        parties: &Parties<'_>,
        flow: PaymentFlow,
    ) -> Result<Digest> {
        let intent = Intent {
            program: crate::ID,
            incarnation: session.incarnation,
            escrow: *parties.escrow,
            session_key: session.session_key,
            receiver: *parties.receiver,
            capture_authorizer: *parties.capture_authorizer,
            receiver_authorizer: *parties.receiver_authorizer,
            fee_recipient: *parties.fee_recipient,
            resource_hash: self.resource_hash,
            amount: self.amount,
            nonce: self.nonce,
            authorize_by: self.authorize_by,
            capture_deadline: self.capture_deadline,
            refund_deadline: self.refund_deadline,
            maximum_fee_bps: self.maximum_fee_bps,
            flow,
        };
        let digest = intent.digest();
        signature::verify(&session.session_key, &self.signature, &Intent::TAG, &digest)?;
        Ok(digest)
    }
}

/// The part of an intent that the accounts give.
pub(crate) struct Parties<'a> {
    pub(crate) escrow: &'a Address,
    pub(crate) receiver: &'a Address,
    pub(crate) capture_authorizer: &'a Address,
    pub(crate) receiver_authorizer: &'a Address,
    pub(crate) fee_recipient: &'a Address,
}

/// The highest fee that an intent allows on `amount`, rounded down, in the payer's favour.
pub(crate) fn maximum_fee(amount: u64, maximum_fee_bps: u16) -> u64 {
    // At most `amount`, since the basis points are at most 10,000.
    (u128::from(amount) * u128::from(maximum_fee_bps) / 10_000) as u64
}
