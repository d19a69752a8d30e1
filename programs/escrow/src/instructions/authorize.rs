use anchor_lang::{address_eq, prelude::*};
use x402_escrow_interface::message::{Intent, PaymentFlow};

use crate::{
    error::EscrowError,
    events::Authorized,
    signature,
    state::{Escrow, Hold, Session},
    token::associated_token_address,
};

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
    fn check(&self, now: i64) -> Result<()> {
        require!(self.amount > 0, EscrowError::ZeroAmount);
        require!(now <= self.authorize_by, EscrowError::IntentExpired);
        require!(
            self.authorize_by <= self.capture_deadline
                && (self.refund_deadline == 0 || self.capture_deadline <= self.refund_deadline),
            EscrowError::DeadlinesOutOfOrder
        );
        require!(self.maximum_fee_bps <= 10_000, EscrowError::FeeBpsTooHigh);
        Ok(())
    }
}

#[derive(Accounts)]
#[instruction(intent: IntentTerms)]
pub struct Authorize {
    /// Pays the hold's rent and gets it back: the relay.
    #[account(mut, unsafe(dup))]
    pub rent_payer: Signer,
    #[account(mut)]
    pub escrow: Account<Escrow>,
    #[account(mut, constraint(address_eq(&session.escrow, escrow.address()) @ EscrowError::WrongSession))]
    pub session: Account<Session>,
    #[account(
        init,
        payer = rent_payer,
        seeds = [b"hold", session.address().as_ref(), &intent.nonce.to_le_bytes()],
        bump
    )]
    pub hold: Account<Hold>,
    /// The intent's parties are accounts, not arguments, so that a lookup table can shorten them. Each is proven by
    /// the signature over the intent.
    pub receiver: UncheckedAccount,
    pub capture_authorizer: UncheckedAccount,
    pub receiver_authorizer: UncheckedAccount,
    pub fee_recipient: UncheckedAccount,
    pub system_program: Program<System>,
}

impl Authorize {
    pub(crate) fn authorize(&mut self, terms: &IntentTerms) -> Result<()> {
        let now = Clock::get()?.unix_timestamp;
        terms.check(now)?;
        let digest = self.intent(terms).digest();
        signature::verify(&self.session.session_key, &terms.signature, &Intent::TAG, &digest)?;

        self.session.spend(terms.amount, terms.nonce, self.receiver.address(), now)?;
        self.session.open_holds =
            self.session.open_holds.checked_add(1).ok_or(EscrowError::AmountOverflow)?;
        self.escrow.hold(terms.amount)?;

        let hold = &mut *self.hold;
        hold.session = *self.session.address();
        hold.receiver = *self.receiver.address();
        hold.receiver_token_account =
            associated_token_address(&hold.receiver, &self.escrow.token_program, &self.escrow.mint);
        hold.capture_authorizer = *self.capture_authorizer.address();
        hold.receiver_authorizer = *self.receiver_authorizer.address();
        hold.fee_recipient = *self.fee_recipient.address();
        hold.rent_payer = *self.rent_payer.address();
        hold.intent_digest = digest;
        hold.amount = terms.amount;
        hold.capture_deadline = terms.capture_deadline;
        hold.refund_deadline = terms.refund_deadline;
        hold.period_index = self.session.period_index;
        hold.maximum_fee_bps = terms.maximum_fee_bps;

        emit!(Authorized {
            escrow: *self.escrow.address(),
            session: self.hold.session,
            hold: *self.hold.address(),
            receiver: self.hold.receiver,
            intent_digest: digest,
            resource_hash: terms.resource_hash,
            amount: terms.amount,
            nonce: terms.nonce,
        });
        Ok(())
    }

    /// The intent as the session key must have signed it, rebuilt from what is on chain.
    fn intent(&self, terms: &IntentTerms) -> Intent {
        Intent {
            program: crate::ID,
            incarnation: self.session.incarnation,
            escrow: *self.escrow.address(),
            session_key: self.session.session_key,
            receiver: *self.receiver.address(),
            capture_authorizer: *self.capture_authorizer.address(),
            receiver_authorizer: *self.receiver_authorizer.address(),
            fee_recipient: *self.fee_recipient.address(),
            resource_hash: terms.resource_hash,
            amount: terms.amount,
            nonce: terms.nonce,
            authorize_by: terms.authorize_by,
            capture_deadline: terms.capture_deadline,
            refund_deadline: terms.refund_deadline,
            maximum_fee_bps: terms.maximum_fee_bps,
            flow: PaymentFlow::Escrow,
        }
    }
}
