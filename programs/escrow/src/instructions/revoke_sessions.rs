use anchor_lang::prelude::*;
use x402_escrow_interface::message::{Revoke, RevokeScope};

use crate::{
    consent::Consent,
    error::EscrowError,
    events::{SessionsRevoked, log},
    remaining::RemainingAccounts,
    state::Escrow,
};

#[derive(Accounts)]
pub struct RevokeSessions {
    /// The payer or the guardian, who signs the message or the transaction.
    #[account(constraint(escrow.can_be_revoked_by(revoker.address()) @ EscrowError::WrongRevoker))]
    pub revoker: UncheckedAccount,
    #[account(mut, constraint(escrow.has_known_version() @ EscrowError::UnknownVersion))]
    pub escrow: Account<Escrow>,
}

impl RevokeSessions {
    pub(crate) fn revoke_sessions(&mut self, opened_through_slot: u64, consent: &Consent<'_>) -> Result<()> {
        // A later slot would end sessions that are still to be opened.
        require!(opened_through_slot <= Clock::get()?.slot, EscrowError::RevokedSlotInFuture);
        let revoked_before_slot = opened_through_slot.checked_add(1).ok_or(EscrowError::AmountOverflow)?;
        if revoked_before_slot <= self.escrow.revoked_before_slot {
            return Ok(());
        }
        let scope = RevokeScope::OpenedThroughSlot(opened_through_slot);
        let digest = Revoke::new(crate::ID, *self.escrow.address(), scope).digest();
        let signers = RemainingAccounts(core::slice::from_ref(self.revoker.account()));
        consent.require(self.revoker.address(), &digest, &Revoke::TAG, || digest, signers)?;
        self.escrow.revoked_before_slot = revoked_before_slot;

        log(&SessionsRevoked {
            escrow: *self.escrow.address(),
            opened_through_slot,
            revoker: *self.revoker.address(),
        });
        Ok(())
    }
}
