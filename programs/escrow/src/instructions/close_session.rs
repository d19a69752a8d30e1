use anchor_lang::{address_eq, prelude::*};

use crate::{
    error::EscrowError,
    events::{SessionClosed, log},
    state::{Escrow, Session},
};

#[derive(Accounts)]
pub struct CloseSession {
    #[account(address = escrow.payer @ EscrowError::WrongPayer)]
    pub payer: Signer,
    #[account(mut, constraint(escrow.has_known_version() @ EscrowError::UnknownVersion))]
    pub escrow: Account<Escrow>,
    #[account(
        mut,
        close = rent_payer,
        constraint(session.has_known_version() @ EscrowError::UnknownVersion),
        constraint(address_eq(&session.escrow, escrow.address()) @ EscrowError::WrongSession)
    )]
    pub session: Account<Session>,
    /// Gets the session's rent back. `unsafe(dup)`: it may be the payer too, and only its lamports change.
    #[account(mut, unsafe(dup), address = session.rent_payer @ EscrowError::WrongRentPayer)]
    pub rent_payer: UncheckedAccount,
}

impl CloseSession {
    pub(crate) fn close_session(&mut self) -> Result<()> {
        require!(self.session.open_holds == 0, EscrowError::SessionHasHolds);
        // Opened again in the same slot, the session would get the same incarnation, and old signatures would live.
        require!(Clock::get()?.slot > self.session.opened_slot, EscrowError::ClosedInOpeningSlot);
        self.escrow.open_sessions =
            self.escrow.open_sessions.checked_sub(1).ok_or(EscrowError::AmountOverflow)?;

        log(&SessionClosed {
            escrow: *self.escrow.address(),
            session: *self.session.address(),
            spent: self.session.spent,
        });
        Ok(())
    }
}
