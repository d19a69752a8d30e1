use anchor_lang::prelude::*;

use crate::{
    error::EscrowError,
    events::{GuardianSet, log},
    state::Escrow,
};

#[derive(Accounts)]
pub struct SetGuardian {
    #[account(address = escrow.payer @ EscrowError::WrongPayer)]
    pub payer: Signer,
    #[account(mut, constraint(escrow.has_known_version() @ EscrowError::UnknownVersion))]
    pub escrow: Account<Escrow>,
}

impl SetGuardian {
    pub(crate) fn set_guardian(&mut self, guardian: Address) -> Result<()> {
        self.escrow.guardian = guardian;

        log(&GuardianSet { escrow: *self.escrow.address(), guardian });
        Ok(())
    }
}
