use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount};

use crate::{
    error::EscrowError, events::EscrowOpened, mint::require_plain_mint, state::Escrow,
    token::associated_token_address,
};

/// Bounds how long a mistyped delay can lock a payer's own money: 30 days, the longest that x402's channel schemes
/// allow too.
const MAXIMUM_WITHDRAW_DELAY_SECONDS: u32 = 30 * 24 * 60 * 60;

#[derive(Accounts)]
pub struct OpenEscrow {
    /// Pays the rent and gets it back; may be the payer.
    #[account(mut, unsafe(dup))]
    pub rent_payer: Signer,
    /// Whose escrow it is: any signer, a multisig's address included.
    pub payer: Signer,
    /// Of SPL Token, or of Token-2022 without extensions that would break the accounting.
    pub mint: InterfaceAccount<Mint>,
    #[account(init, payer = rent_payer, seeds = [b"escrow", payer.address().as_ref(), mint.address().as_ref()], bump)]
    pub escrow: Account<Escrow>,
    /// The escrow's associated token account, created before. Tokens in it are credited by `sync`.
    #[account(
        address = associated_token_address(escrow.address(), token_program.address(), mint.address())
            @ EscrowError::WrongVault
    )]
    pub vault: InterfaceAccount<TokenAccount>,
    #[account(address = *mint.account().owner() @ EscrowError::WrongTokenProgram)]
    pub token_program: UncheckedAccount,
    pub system_program: Program<System>,
}

impl OpenEscrow {
    pub(crate) fn open_escrow(&mut self, withdraw_delay_seconds: u32, bump: u8) -> Result<()> {
        require!(withdraw_delay_seconds <= MAXIMUM_WITHDRAW_DELAY_SECONDS, EscrowError::WithdrawDelayTooLong);
        require_plain_mint(self.mint.account())?;

        let escrow = &mut *self.escrow;
        escrow.payer = *self.payer.address();
        escrow.mint = *self.mint.address();
        escrow.token_program = *self.token_program.address();
        escrow.vault = *self.vault.address();
        escrow.rent_payer = *self.rent_payer.address();
        escrow.withdraw_delay_seconds = withdraw_delay_seconds;
        escrow.decimals = self.mint.decimals();
        escrow.bump = bump;

        emit!(EscrowOpened {
            escrow: *self.escrow.address(),
            payer: self.escrow.payer,
            mint: self.escrow.mint,
            withdraw_delay_seconds: u64::from(withdraw_delay_seconds),
        });
        Ok(())
    }
}
