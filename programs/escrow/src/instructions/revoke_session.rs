use anchor_lang::{address_eq, prelude::*};
use x402_escrow_interface::message::{Revoke, RevokeScope};

use crate::{
    consent::Consent,
    error::EscrowError,
    events::{SessionRevoked, log},
    remaining::RemainingAccounts,
    state::{Escrow, Session},
};

#[derive(Accounts)]
pub struct RevokeSession {
    /// The payer or the guardian, who signs the message or the transaction.
    #[account(constraint(escrow.can_be_revoked_by(revoker.address()) @ EscrowError::WrongRevoker))]
    pub revoker: UncheckedAccount,
    #[account(constraint(escrow.has_known_version() @ EscrowError::UnknownVersion))]
    pub escrow: Account<Escrow>,
    #[account(
        mut,
        constraint(session.has_known_version() @ EscrowError::UnknownVersion),
        constraint(address_eq(&session.escrow, escrow.address()) @ EscrowError::WrongSession)
    )]
    pub session: Account<Session>,
}

impl RevokeSession {
    pub(crate) fn revoke_session(&mut self, consent: &Consent<'_>) -> Result<()> {
        if self.session.revoked != 0 {
            return Ok(());
        }
        let Session { session_key, incarnation, .. } = *self.session;
        let scope = RevokeScope::Session { session_key, incarnation };
        let digest = Revoke::new(crate::ID, *self.escrow.address(), scope).digest();
        let signers = RemainingAccounts(core::slice::from_ref(self.revoker.account()));
        consent.require(self.revoker.address(), &digest, &Revoke::TAG, || digest, signers)?;
        self.session.revoked = 1;

        log(&SessionRevoked {
            escrow: *self.escrow.address(),
            session: *self.session.address(),
            session_key,
            incarnation,
            revoker: *self.revoker.address(),
        });
        Ok(())
    }
}
