use anchor_lang::prelude::*;

use crate::{
    error::EscrowError,
    events::{Synced, log},
    state::Escrow,
    token::tokens_in,
};

#[derive(Accounts)]
pub struct Sync {
    #[account(mut, constraint(escrow.has_known_version() @ EscrowError::UnknownVersion))]
    pub escrow: Account<Escrow>,
    #[account(address = escrow.vault @ EscrowError::WrongVault)]
    pub vault: UncheckedAccount,
}

impl Sync {
    pub(crate) fn sync(&mut self) -> Result<()> {
        let amount = tokens_in(self.vault.account())?.saturating_sub(self.escrow.balance);
        if amount == 0 {
            return Ok(());
        }
        self.escrow.credit(amount)?;

        log(&Synced { escrow: *self.escrow.address(), amount, balance: self.escrow.balance });
        Ok(())
    }
}
