use anchor_lang::prelude::*;

use crate::{error::EscrowError, events::WithdrawalCancelled, state::Escrow};

#[derive(Accounts)]
pub struct CancelWithdrawal {
    #[account(address = escrow.payer @ EscrowError::WrongPayer)]
    pub payer: Signer,
    #[account(mut)]
    pub escrow: Account<Escrow>,
}

impl CancelWithdrawal {
    pub(crate) fn cancel_withdrawal(&mut self) -> Result<()> {
        let amount = self.escrow.pending_withdrawal;
        require!(amount > 0, EscrowError::NoWithdrawalRequested);
        self.escrow.pending_withdrawal = 0;
        self.escrow.withdrawable_at = 0;

        emit!(WithdrawalCancelled { escrow: *self.escrow.address(), amount });
        Ok(())
    }
}
