use anchor_lang::{address_eq, prelude::*};

use crate::{
    error::EscrowError,
    events::SessionRevoked,
    state::{Escrow, Session},
};

#[derive(Accounts)]
pub struct RevokeSession {
    #[account(address = escrow.payer @ EscrowError::WrongPayer)]
    pub payer: Signer,
    pub escrow: Account<Escrow>,
    #[account(mut, constraint(address_eq(&session.escrow, escrow.address()) @ EscrowError::WrongSession))]
    pub session: Account<Session>,
}

impl RevokeSession {
    pub(crate) fn revoke_session(&mut self) -> Result<()> {
        require!(self.session.revoked == 0, EscrowError::SessionRevoked);
        self.session.revoked = 1;

        emit!(SessionRevoked { escrow: *self.escrow.address(), session: *self.session.address() });
        Ok(())
    }
}
