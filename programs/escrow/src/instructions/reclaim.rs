use anchor_lang::{address_eq, prelude::*};

use crate::{
    error::EscrowError,
    events::{Reclaimed, log},
    state::{Escrow, Hold, Session},
};

#[derive(Accounts)]
pub struct Reclaim {
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

impl Reclaim {
    pub(crate) fn reclaim(&mut self) -> Result<()> {
        let now = Clock::get()?.unix_timestamp;
        require!(now > self.hold.capture_deadline, EscrowError::CaptureDeadlineNotPassed);
        let captured = self.hold.captured;
        let released = self.hold.end_at(captured, &mut self.escrow, &mut self.session)?;

        log(&Reclaimed {
            escrow: *self.escrow.address(),
            session: *self.session.address(),
            hold: *self.hold.address(),
            intent_digest: self.hold.intent_digest,
            captured,
            released,
            balance: self.escrow.balance,
            held: self.escrow.held,
        });
        Hold::close_when_done(&mut self.hold, &mut self.session, &self.rent_payer)
    }
}
