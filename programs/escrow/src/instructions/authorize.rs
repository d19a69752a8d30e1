use anchor_lang::{AccountInitialize, address_eq, prelude::*};
use x402_escrow_interface::message::PaymentFlow;

use crate::{
    error::EscrowError,
    events::Authorized,
    intent::{IntentTerms, Parties},
    state::{Escrow, Hold, Session},
    token::associated_token_address,
};

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
    /// Created by the handler and not by `init`, which would come before the checks: a used nonce is then refused as
    /// one, whether its hold still exists or not.
    #[account(mut, seeds = [b"hold", session.address().as_ref(), &intent.nonce.to_le_bytes()], bump)]
    pub hold: UncheckedAccount,
    /// The intent's parties are accounts, not arguments, so that a lookup table can shorten them. Each is proven by
    /// the signature over the intent.
    pub receiver: UncheckedAccount,
    pub capture_authorizer: UncheckedAccount,
    pub receiver_authorizer: UncheckedAccount,
    pub fee_recipient: UncheckedAccount,
    pub system_program: Program<System>,
}

impl Authorize {
    pub(crate) fn authorize(&mut self, terms: &IntentTerms, hold_bump: u8) -> Result<()> {
        let now = Clock::get()?.unix_timestamp;
        terms.check(now)?;
        let parties = Parties {
            escrow: self.escrow.address(),
            receiver: self.receiver.address(),
            capture_authorizer: self.capture_authorizer.address(),
            receiver_authorizer: self.receiver_authorizer.address(),
            fee_recipient: self.fee_recipient.address(),
        };
        let digest = terms.verify(&self.session, &parties, PaymentFlow::Escrow)?;

        self.session.spend(terms.amount, terms.nonce, self.receiver.address(), terms.maximum_fee_bps, now)?;
        self.session.open_holds =
            self.session.open_holds.checked_add(1).ok_or(EscrowError::AmountOverflow)?;
        self.escrow.hold(terms.amount)?;

        let mut hold = self.create_hold(terms.nonce, hold_bump)?;
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
            session: hold.session,
            hold: *self.hold.address(),
            receiver: hold.receiver,
            intent_digest: digest,
            resource_hash: terms.resource_hash,
            amount: terms.amount,
            nonce: terms.nonce,
        });
        Ok(())
    }

    fn create_hold(&self, nonce: u64, bump: u8) -> Result<Account<Hold>> {
        let seeds: [&[u8]; 4] = [b"hold", self.session.address().as_ref(), &nonce.to_le_bytes(), &[bump]];
        Account::<Hold>::create_and_initialize(
            self.rent_payer.account(),
            self.hold.account(),
            Account::<Hold>::INIT_SPACE,
            &crate::ID,
            &(),
            Some(&seeds),
            None,
        )
    }
}
