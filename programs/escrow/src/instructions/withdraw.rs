use anchor_lang::prelude::*;

use crate::{
    error::EscrowError,
    events::{Withdrawn, log},
    payout::Payout,
    state::Escrow,
};

#[derive(Accounts)]
pub struct Withdraw {
    #[account(address = escrow.payer @ EscrowError::WrongPayer)]
    pub payer: Signer,
    #[account(mut, constraint(escrow.has_known_version() @ EscrowError::UnknownVersion))]
    pub escrow: Account<Escrow>,
    #[account(mut, address = escrow.vault @ EscrowError::WrongVault)]
    pub vault: UncheckedAccount,
    /// Any token account that the payer names; the token program checks its mint.
    #[account(mut)]
    pub destination: UncheckedAccount,
    #[account(address = escrow.mint @ EscrowError::WrongMint)]
    pub mint: UncheckedAccount,
    #[account(address = escrow.token_program @ EscrowError::WrongTokenProgram)]
    pub token_program: UncheckedAccount,
}

impl Withdraw {
    /// Pays `amount`, or all that is free.
    pub(crate) fn withdraw(&mut self, amount: Option<u64>) -> Result<()> {
        let amount = match amount {
            Some(amount) => amount,
            None => self.escrow.free()?,
        };
        require!(amount > 0, EscrowError::NothingToWithdraw);
        self.escrow.take_free(amount)?;
        Payout {
            escrow: &self.escrow,
            vault: &self.vault,
            mint: &self.mint,
            token_program: self.token_program.address(),
        }
        .pay(self.destination.account(), amount);

        log(&Withdrawn {
            escrow: *self.escrow.address(),
            destination: *self.destination.address(),
            amount,
            balance: self.escrow.balance,
        });
        Ok(())
    }
}
