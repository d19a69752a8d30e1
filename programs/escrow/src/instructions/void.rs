use anchor_lang::{address_eq, prelude::*};
use x402_escrow_interface::message::Release;

use crate::{
    consent::Consent,
    error::EscrowError,
    events::{Voided, log},
    remaining::RemainingAccounts,
    state::{Escrow, Hold, Session},
};

#[derive(Accounts)]
pub struct Void {
    #[account(mut, constraint(escrow.has_known_version() @ EscrowError::UnknownVersion))]
    pub escrow: Account<Escrow>,
    #[account(
        mut,
        constraint(session.has_known_version() @ EscrowError::UnknownVersion),
        constraint(address_eq(&session.escrow, escrow.address()) @ EscrowError::WrongSession)
    )]
    pub session: Account<Session>,
    #[account(
        mut,
        constraint(hold.has_known_version() @ EscrowError::UnknownVersion),
        constraint(address_eq(&hold.session, session.address()) @ EscrowError::WrongHold)
    )]
    pub hold: Account<Hold>,
    /// Gets the hold's rent back when nothing is held any more. `unsafe(dup)`: it may be another of the accounts too, and
    /// only its lamports change.
    #[account(mut, unsafe(dup), address = hold.rent_payer @ EscrowError::WrongRentPayer)]
    pub rent_payer: UncheckedAccount,
}

impl Void {
    pub(crate) fn void(
        &mut self,
        amount: u64,
        consent: &Consent<'_>,
        remaining: RemainingAccounts<'_>,
    ) -> Result<()> {
        let hold = &*self.hold;
        if amount >= hold.amount {
            return Ok(());
        }
        let message = || Release { intent_digest: hold.intent_digest, amount }.digest();
        consent.require(&hold.receiver_authorizer, &hold.intent_digest, &Release::TAG, message, remaining)?;
        let released = self.hold.end_at(amount, &mut self.escrow, &mut self.session)?;

        log(&Voided {
            escrow: *self.escrow.address(),
            session: *self.session.address(),
            hold: *self.hold.address(),
            intent_digest: self.hold.intent_digest,
            captured: self.hold.captured,
            released,
            left: self.hold.held(),
            balance: self.escrow.balance,
            held: self.escrow.held,
        });
        Hold::close_when_done(&mut self.hold, &mut self.session, &self.rent_payer)
    }
}
