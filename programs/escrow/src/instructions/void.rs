use anchor_lang::{address_eq, prelude::*};
use x402_escrow_interface::message::Release;

use crate::{
    error::EscrowError,
    events::Voided,
    instructions::close_hold::close_if_finished,
    signature::require_authorizer,
    state::{Escrow, Hold, Session},
};

#[derive(Accounts)]
pub struct Void {
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

impl Void {
    pub(crate) fn void(
        &mut self,
        amount: u64,
        signature: Option<&[u8; 64]>,
        remaining: &[AccountView],
    ) -> Result<()> {
        let hold = &*self.hold;
        let digest = || Release { intent_digest: hold.intent_digest, amount }.digest();
        require_authorizer(&hold.receiver_authorizer, signature, &Release::TAG, digest, remaining)?;
        let released = self.hold.release_above(amount, &mut self.escrow, &mut self.session)?;

        emit!(Voided { escrow: *self.escrow.address(), intent_digest: self.hold.intent_digest, released });
        let now = Clock::get()?.unix_timestamp;
        close_if_finished(&mut self.hold, &mut self.session, &self.rent_payer, now)
    }
}
