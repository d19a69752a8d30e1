use anchor_lang::prelude::*;

use crate::{
    error::EscrowError,
    events::{SessionOpened, log},
    incarnation::newest_slot_hash,
    state::{Escrow, Session, SessionLimits, VERSION},
};

#[derive(Accounts)]
pub struct OpenSession {
    /// Pays the rent and gets it back. `unsafe(dup)`: it may be the payer too, and only its lamports change.
    #[account(mut, unsafe(dup))]
    pub rent_payer: Signer,
    #[account(address = escrow.payer @ EscrowError::WrongPayer)]
    pub payer: Signer,
    #[account(mut, constraint(escrow.has_known_version() @ EscrowError::UnknownVersion))]
    pub escrow: Account<Escrow>,
    /// The agent's key. It need not sign: opening a session gives it rights and no duties.
    pub session_key: UncheckedAccount,
    #[account(
        init,
        payer = rent_payer,
        seeds = [b"session", escrow.address().as_ref(), session_key.address().as_ref()],
        bump
    )]
    pub session: Account<Session>,
    pub system_program: Program<System>,
}

impl OpenSession {
    pub(crate) fn open_session(&mut self, limits: SessionLimits) -> Result<()> {
        let clock = Clock::get()?;
        self.escrow.open_sessions =
            self.escrow.open_sessions.checked_add(1).ok_or(EscrowError::AmountOverflow)?;
        let session = &mut *self.session;
        session.version = VERSION;
        session.escrow = *self.escrow.address();
        session.session_key = *self.session_key.address();
        session.rent_payer = *self.rent_payer.address();
        session.incarnation = newest_slot_hash()?;
        session.opened_slot = clock.slot;
        session.set_limits(&limits, clock.unix_timestamp)?;

        log(&SessionOpened {
            escrow: self.session.escrow,
            session: *self.session.address(),
            session_key: self.session.session_key,
            incarnation: self.session.incarnation,
            opened_slot: self.session.opened_slot,
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
