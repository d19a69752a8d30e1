use anchor_lang::prelude::*;

use crate::{
    error::EscrowError,
    events::{Deposited, log},
    state::Escrow,
    token::Transfer,
};

#[derive(Accounts)]
pub struct Deposit {
    pub depositor: Signer,
    /// The depositor's tokens; the token program checks mint and authority.
    #[account(mut)]
    pub source: UncheckedAccount,
    #[account(mut, constraint(escrow.has_known_version() @ EscrowError::UnknownVersion))]
    pub escrow: Account<Escrow>,
    #[account(mut, address = escrow.vault @ EscrowError::WrongVault)]
    pub vault: UncheckedAccount,
    #[account(address = escrow.mint @ EscrowError::WrongMint)]
    pub mint: UncheckedAccount,
    #[account(address = escrow.token_program @ EscrowError::WrongTokenProgram)]
    pub token_program: UncheckedAccount,
}

impl Deposit {
    pub(crate) fn deposit(&mut self, amount: u64, refunded_payment: Option<[u8; 32]>) -> Result<()> {
        require!(amount > 0, EscrowError::ZeroAmount);
        self.escrow.credit(amount)?;
        Transfer {
            from: self.source.cpi_handle_mut().into(),
            mint: self.mint.cpi_handle(),
            to: self.vault.cpi_handle_mut().into(),
            authority: self.depositor.cpi_handle(),
            token_program: self.token_program.address(),
            decimals: self.escrow.decimals,
        }
        .invoke(amount, &[]);

        log(&Deposited {
            escrow: *self.escrow.address(),
            depositor: *self.depositor.address(),
            amount,
            balance: self.escrow.balance,
            refunded_payment: refunded_payment.unwrap_or_default(),
        });
        Ok(())
    }
}
