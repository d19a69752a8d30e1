use anchor_lang::prelude::*;

use crate::{error::EscrowError, events::Synced, state::Escrow, token::tokens_in};

#[derive(Accounts)]
pub struct Sync {
    #[account(mut)]
    pub escrow: Account<Escrow>,
    #[account(address = escrow.vault @ EscrowError::WrongVault)]
    pub vault: UncheckedAccount,
}

impl Sync {
    pub(crate) fn sync(&mut self) -> Result<()> {
        let amount = tokens_in(self.vault.account())?.saturating_sub(self.escrow.balance);
        require!(amount > 0, EscrowError::NothingToSync);
        self.escrow.credit(amount)?;

        emit!(Synced { escrow: *self.escrow.address(), amount, balance: self.escrow.balance });
        Ok(())
    }
}
