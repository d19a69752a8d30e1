use anchor_lang::{AccountInitialize, AnchorAccount, address_eq, find_program_address, prelude::*};
use x402_escrow_interface::message::PaymentFlow;

use crate::{
    error::EscrowError,
    events::{Authorized, log},
    intent::{IntentTerms, Parties},
    state::{Escrow, Hold, Payee, Session, VERSION},
    token::associated_token_address,
};

#[derive(Accounts)]
pub struct Authorize {
    /// Pays the hold's rent and gets it back: the relay. `unsafe(dup)`: it may be one of the parties too, and only its
    /// lamports change.
    #[account(mut, unsafe(dup))]
    pub rent_payer: Signer,
    #[account(mut, constraint(escrow.has_known_version() @ EscrowError::UnknownVersion))]
    pub escrow: Account<Escrow>,
    #[account(
        mut,
        constraint(session.has_known_version() @ EscrowError::UnknownVersion),
        constraint(address_eq(&session.escrow, escrow.address()) @ EscrowError::WrongSession)
    )]
    pub session: Account<Session>,
    /// Created by the handler and not by `init`, which would come before the checks: a used nonce is then refused as
    /// one, and a hold that is there already is no error.
    #[account(mut)]
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
    pub(crate) fn authorize(&mut self, terms: &IntentTerms<'_>) -> Result<()> {
        let nonce = terms.nonce.to_le_bytes();
        let seeds: [&[u8]; 3] = [b"hold", self.session.address().as_ref(), &nonce];
        let (hold, bump) = find_program_address(&seeds, &crate::ID);
        require!(address_eq(&hold, self.hold.address()), ErrorCode::ConstraintSeeds);
        let parties = Parties {
            escrow: self.escrow.address(),
            receiver: self.receiver.address(),
            capture_authorizer: self.capture_authorizer.address(),
            receiver_authorizer: self.receiver_authorizer.address(),
            fee_recipient: self.fee_recipient.address(),
        };
        let digest = terms.digest(&self.session, &parties, PaymentFlow::Escrow);
        if self.is_held(&digest)? {
            return Ok(());
        }
        let now = Clock::get()?.unix_timestamp;
        terms.require_valid(&self.session, &parties, &digest, now)?;
        require!(!self.escrow.has_revoked(&self.session), EscrowError::SessionRevoked);
        let payee = Payee { receiver: self.receiver.address(), terms: &terms.receiver_terms };
        self.session.spend(terms.amount, terms.nonce, &payee, now)?;
        self.session.open_holds =
            self.session.open_holds.checked_add(1).ok_or(EscrowError::AmountOverflow)?;
        self.escrow.hold(terms.amount)?;
        self.create_hold(terms, digest, bump)?;

        log(&Authorized {
            escrow: *self.escrow.address(),
            session: *self.session.address(),
            hold: *self.hold.address(),
            receiver: *self.receiver.address(),
            capture_authorizer: *self.capture_authorizer.address(),
            receiver_authorizer: *self.receiver_authorizer.address(),
            fee_recipient: *self.fee_recipient.address(),
            intent_digest: digest,
            resource_hash: *terms.resource_hash,
            amount: terms.amount,
            nonce: terms.nonce,
            capture_deadline: terms.capture_deadline,
            refund_deadline: terms.refund_deadline,
            maximum_fee_bps: u64::from(terms.receiver_terms.maximum_fee_bps()),
            balance: self.escrow.balance,
            held: self.escrow.held,
            spent: self.session.spent,
        });
        Ok(())
    }

    /// Whether the hold exists and is of this intent: somebody relayed it before, and nothing is left to do.
    fn is_held(&self, digest: &[u8; 32]) -> Result<bool> {
        if !self.hold.account().owned_by(&crate::ID) {
            return Ok(false);
        }
        Ok(Account::<Hold>::load(*self.hold.account())?.intent_digest == *digest)
    }

    fn create_hold(&self, terms: &IntentTerms<'_>, intent_digest: [u8; 32], bump: u8) -> Result<()> {
        let seeds: [&[u8]; 4] =
            [b"hold", self.session.address().as_ref(), &terms.nonce.to_le_bytes(), &[bump]];
        let mut hold = Account::<Hold>::create_and_initialize(
            self.rent_payer.account(),
            self.hold.account(),
            Account::<Hold>::INIT_SPACE,
            &crate::ID,
            &(),
            Some(&seeds),
            None,
        )?;
        hold.version = VERSION;
        hold.maximum_fee_bps = terms.receiver_terms.maximum_fee_bps();
        hold.session = *self.session.address();
        hold.receiver = *self.receiver.address();
        hold.receiver_token_account =
            associated_token_address(&hold.receiver, &self.escrow.token_program, &self.escrow.mint);
        hold.capture_authorizer = *self.capture_authorizer.address();
        hold.receiver_authorizer = *self.receiver_authorizer.address();
        hold.fee_recipient = *self.fee_recipient.address();
        hold.rent_payer = *self.rent_payer.address();
        hold.intent_digest = intent_digest;
        hold.amount = terms.amount;
        hold.capture_deadline = terms.capture_deadline;
        hold.period_index = self.session.period_index;
        Ok(())
    }
}
