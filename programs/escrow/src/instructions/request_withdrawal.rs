use anchor_lang::prelude::*;

use crate::{error::EscrowError, events::WithdrawalRequested, state::Escrow};

#[derive(Accounts)]
pub struct RequestWithdrawal {
    #[account(address = escrow.payer @ EscrowError::WrongPayer)]
    pub payer: Signer,
    #[account(mut)]
    pub escrow: Account<Escrow>,
}

impl RequestWithdrawal {
    /// Held money may be requested too: it can leave once it is released.
    pub(crate) fn request_withdrawal(&mut self, amount: u64) -> Result<()> {
        require!(amount > 0, EscrowError::ZeroAmount);
        require!(amount <= self.escrow.balance, EscrowError::WithdrawalAboveBalance);
        let delay_seconds = i64::from(self.escrow.withdraw_delay_seconds);
        let withdrawable_at =
            Clock::get()?.unix_timestamp.checked_add(delay_seconds).ok_or(EscrowError::AmountOverflow)?;
        self.escrow.pending_withdrawal = amount;
        self.escrow.withdrawable_at = withdrawable_at;

        emit!(WithdrawalRequested { escrow: *self.escrow.address(), amount, withdrawable_at });
        Ok(())
    }
}
