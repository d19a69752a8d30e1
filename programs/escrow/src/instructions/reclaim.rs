use anchor_lang::{address_eq, prelude::*};

use crate::{
    error::EscrowError,
    events::Reclaimed,
    instructions::close_hold::close_if_finished,
    state::{Escrow, Hold, Session},
};

#[derive(Accounts)]
pub struct Reclaim {
    #[account(mut)]
    pub escrow: Account<Escrow>,
    #[account(mut, constraint(address_eq(&session.escrow, escrow.address()) @ EscrowError::WrongSession))]
    pub session: Account<Session>,
    #[account(mut, constraint(address_eq(&hold.session, session.address()) @ EscrowError::WrongHold))]
    pub hold: Account<Hold>,
    /// Gets the hold's rent back when this ends it.
    #[account(mut, unsafe(dup), address = hold.rent_payer @ EscrowError::WrongRentPayer)]
    pub rent_payer: UncheckedAccount,
}

impl Reclaim {
    pub(crate) fn reclaim(&mut self) -> Result<()> {
        let now = Clock::get()?.unix_timestamp;
        require!(now > self.hold.capture_deadline, EscrowError::CaptureDeadlineNotPassed);
        let captured = self.hold.captured;
        let released = self.hold.release_above(captured, &mut self.escrow, &mut self.session)?;

        emit!(Reclaimed { escrow: *self.escrow.address(), intent_digest: self.hold.intent_digest, released });
        close_if_finished(&mut self.hold, &mut self.session, &self.rent_payer, now)
    }
}
