use anchor_lang::{address_eq, prelude::*};

use crate::{
    error::EscrowError,
    events::{SessionUpdated, log},
    state::{Escrow, Session, SessionLimits},
};

#[derive(Accounts)]
pub struct UpdateSession {
    #[account(address = escrow.payer @ EscrowError::WrongPayer)]
    pub payer: Signer,
    #[account(constraint(escrow.has_known_version() @ EscrowError::UnknownVersion))]
    pub escrow: Account<Escrow>,
    #[account(
        mut,
        constraint(session.has_known_version() @ EscrowError::UnknownVersion),
        constraint(address_eq(&session.escrow, escrow.address()) @ EscrowError::WrongSession)
    )]
    pub session: Account<Session>,
}

impl UpdateSession {
    /// A revoked session stays revoked: limits are no way back.
    pub(crate) fn update_session(&mut self, limits: SessionLimits) -> Result<()> {
        require!(!self.escrow.has_revoked(&self.session), EscrowError::SessionRevoked);
        self.session.set_limits(&limits, Clock::get()?.unix_timestamp)?;

        log(&SessionUpdated {
            escrow: *self.escrow.address(),
            session: *self.session.address(),
            expires_at: limits.expires_at,
            maximum_payment: limits.maximum_payment,
            maximum_total: limits.maximum_total,
            maximum_per_period: limits.maximum_per_period,
            period_seconds: limits.period_seconds,
            receivers_root: limits.receivers_root,
        });
        Ok(())
    }
}
