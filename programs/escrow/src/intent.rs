//! A payer's signed intent, as it reaches the program: in part as arguments, in part as accounts.

use anchor_lang::prelude::*;
use x402_escrow_interface::{
    fee::BASIS_POINTS,
    message::{Digest, Intent, MAXIMUM_CAPTURE_SECONDS, PaymentFlow},
};

use crate::{consent, error::EscrowError, receiver_terms::ReceiverTerms, state::Session};

/// The part of an intent that the accounts don't give, and its signature. [`Intent`] says what each field means.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy)]
pub struct IntentTerms<'a> {
    pub amount: u64,
    pub nonce: u64,
    pub authorize_by: i64,
    pub capture_deadline: i64,
    pub refund_deadline: i64,
    pub receiver_terms: ReceiverTerms<'a>,
    pub resource_hash: &'a [u8; 32],
    /// By the session key, over the intent.
    pub signature: &'a [u8; 64],
}

impl IntentTerms<'_> {
    /// The digest of the intent as the session key must have signed it: the payment's identity.
    #[inline(never)]
    pub(crate) fn digest(&self, session: &Session, parties: &Parties<'_>, flow: PaymentFlow) -> Digest {
        Intent {
            program: crate::ID,
            incarnation: session.incarnation,
            escrow: *parties.escrow,
            session_key: session.session_key,
            receiver: *parties.receiver,
            capture_authorizer: *parties.capture_authorizer,
            receiver_authorizer: *parties.receiver_authorizer,
            fee_recipient: *parties.fee_recipient,
            resource_hash: *self.resource_hash,
            amount: self.amount,
            nonce: self.nonce,
            authorize_by: self.authorize_by,
            capture_deadline: self.capture_deadline,
            refund_deadline: self.refund_deadline,
            maximum_fee_bps: self.receiver_terms.maximum_fee_bps(),
            flow,
        }
        .digest()
    }

    /// Requires that the intent's numbers are sound at `now` (unix seconds), and that the session key signed `digest`.
    pub(crate) fn require_valid(
        &self,
        session: &Session,
        parties: &Parties<'_>,
        digest: &Digest,
        now: i64,
    ) -> Result<()> {
        require!(self.amount > 0, EscrowError::ZeroAmount);
        require!(now <= self.authorize_by, EscrowError::IntentExpired);
        require!(self.authorize_by <= self.capture_deadline, EscrowError::DeadlinesOutOfOrder);
        require!(
            self.capture_deadline.saturating_sub(now) <= MAXIMUM_CAPTURE_SECONDS,
            EscrowError::CaptureDeadlineTooFar
        );
        let maximum_fee_bps = self.receiver_terms.maximum_fee_bps();
        require!(maximum_fee_bps <= BASIS_POINTS, EscrowError::FeeBpsTooHigh);
        // A fee to one of these could never be paid: no account can be named twice.
        require!(
            maximum_fee_bps == 0
                || (parties.fee_recipient != parties.receiver && parties.fee_recipient != parties.escrow),
            EscrowError::WrongFeeRecipient
        );
        consent::verify(&session.session_key, self.signature, &Intent::TAG, digest)
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
