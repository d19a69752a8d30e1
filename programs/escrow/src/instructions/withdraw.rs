use anchor_lang::prelude::*;

use crate::{error::EscrowError, events::Withdrawn, state::Escrow, token::Payout};

#[derive(Accounts)]
pub struct Withdraw {
    #[account(address = escrow.payer @ EscrowError::WrongPayer)]
    pub payer: Signer,
    #[account(mut)]
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
    /// Pays what was requested as far as it is free. What is held stays requested, and can follow without a new
    /// delay once it is released.
    pub(crate) fn withdraw(&mut self) -> Result<()> {
        let pending = self.escrow.pending_withdrawal;
        require!(pending > 0, EscrowError::NoWithdrawalRequested);
        require!(Clock::get()?.unix_timestamp >= self.escrow.withdrawable_at, EscrowError::WithdrawalNotDue);
        let amount = pending.min(self.escrow.free()?);
        require!(amount > 0, EscrowError::NothingToWithdraw);

        self.escrow.balance = self.escrow.balance.checked_sub(amount).ok_or(EscrowError::AmountOverflow)?;
        self.escrow.pending_withdrawal = pending.checked_sub(amount).ok_or(EscrowError::AmountOverflow)?;
        Payout {
            escrow: &self.escrow,
            vault: &self.vault,
            mint: &self.mint,
            token_program: self.token_program.address(),
        }
        .pay(self.destination.account(), amount);

        emit!(Withdrawn {
            escrow: *self.escrow.address(),
            destination: *self.destination.address(),
            amount,
            balance: self.escrow.balance,
        });
        Ok(())
    }
}
