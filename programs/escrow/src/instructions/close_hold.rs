use anchor_lang::{address_eq, prelude::*};

use crate::{
    error::EscrowError,
    events::HoldClosed,
    state::{Hold, Session},
};

#[derive(Accounts)]
pub struct CloseHold {
    #[account(mut)]
    pub session: Account<Session>,
    #[account(mut, constraint(address_eq(&hold.session, session.address()) @ EscrowError::WrongHold))]
    pub hold: Account<Hold>,
    #[account(mut, unsafe(dup), address = hold.rent_payer @ EscrowError::WrongRentPayer)]
    pub rent_payer: UncheckedAccount,
}

impl CloseHold {
    pub(crate) fn close_hold(&mut self) -> Result<()> {
        let now = Clock::get()?.unix_timestamp;
        require!(self.hold.is_finished(now), EscrowError::HoldNotFinished);
        close_if_finished(&mut self.hold, &mut self.session, &self.rent_payer, now)
    }
}

/// Closes a hold that holds nothing and can't be refunded at `now` (unix seconds); its rent goes back to whoever
/// paid it. A hold that can still be refunded stays, for `close_hold`.
pub(crate) fn close_if_finished(
    hold: &mut Account<Hold>,
    session: &mut Account<Session>,
    rent_payer: &UncheckedAccount,
    now: i64,
) -> Result<()> {
    if !hold.is_finished(now) {
        return Ok(());
    }
    session.open_holds = session.open_holds.checked_sub(1).ok_or(EscrowError::AmountOverflow)?;
    emit!(HoldClosed { session: *session.address(), intent_digest: hold.intent_digest });
    hold.close(*rent_payer.account())
}
