use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount};

use crate::{
    error::EscrowError,
    events::{EscrowOpened, log},
    mint::require_plain_mint,
    state::{Escrow, VERSION},
    token::associated_token_address,
};

#[derive(Accounts)]
pub struct OpenEscrow {
    /// Pays the rent and gets it back. `unsafe(dup)`: it may be the payer too, and only its lamports change.
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
    pub(crate) fn open_escrow(&mut self, bump: u8) -> Result<()> {
        require_plain_mint(self.mint.account())?;

        let escrow = &mut *self.escrow;
        escrow.version = VERSION;
        escrow.payer = *self.payer.address();
        escrow.mint = *self.mint.address();
        escrow.token_program = *self.token_program.address();
        escrow.vault = *self.vault.address();
        escrow.rent_payer = *self.rent_payer.address();
        escrow.decimals = self.mint.decimals();
        escrow.bump = bump;

        log(&EscrowOpened {
            escrow: *self.escrow.address(),
            payer: self.escrow.payer,
            mint: self.escrow.mint,
            vault: self.escrow.vault,
            rent_payer: self.escrow.rent_payer,
        });
        Ok(())
    }
}
