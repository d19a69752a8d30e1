use anchor_lang::prelude::*;

use crate::{
    error::EscrowError,
    events::{EscrowClosed, log},
    payout::Payout,
    state::Escrow,
    token::{close_token_account, tokens_in},
};

#[derive(Accounts)]
pub struct CloseEscrow {
    #[account(address = escrow.payer @ EscrowError::WrongPayer)]
    pub payer: Signer,
    #[account(
        mut,
        close = rent_payer,
        constraint(escrow.has_known_version() @ EscrowError::UnknownVersion)
    )]
    pub escrow: Account<Escrow>,
    #[account(mut, address = escrow.vault @ EscrowError::WrongVault)]
    pub vault: UncheckedAccount,
    /// Any token account that the payer names, for what the vault still has; the token program checks its mint.
    #[account(mut)]
    pub destination: UncheckedAccount,
    /// Gets the rent of the escrow and of its vault back. `unsafe(dup)`: it may be the payer too, and only its lamports
    /// change.
    #[account(mut, unsafe(dup), address = escrow.rent_payer @ EscrowError::WrongRentPayer)]
    pub rent_payer: UncheckedAccount,
    #[account(address = escrow.mint @ EscrowError::WrongMint)]
    pub mint: UncheckedAccount,
    #[account(address = escrow.token_program @ EscrowError::WrongTokenProgram)]
    pub token_program: UncheckedAccount,
}

impl CloseEscrow {
    /// Without sessions nothing is held. What the vault has beyond the balance, somebody sent there: it goes to the payer
    /// with the rest, so that nobody can stop an escrow from closing.
    pub(crate) fn close_escrow(&mut self) -> Result<()> {
        require!(self.escrow.open_sessions == 0, EscrowError::EscrowHasSessions);
        let amount = tokens_in(self.vault.account())?;
        Payout {
            escrow: &self.escrow,
            vault: &self.vault,
            mint: &self.mint,
            token_program: self.token_program.address(),
        }
        .pay(self.destination.account(), amount);

        let Escrow { payer, mint, bump, .. } = *self.escrow;
        let seeds: [&[u8]; 4] = [b"escrow", payer.as_ref(), mint.as_ref(), &[bump]];
        let mut rent_payer = *self.rent_payer.account();
        close_token_account(
            self.vault.cpi_handle_mut().into(),
            CpiHandleMut::writable(&mut rent_payer).into(),
            self.escrow.cpi_handle(),
            self.token_program.address(),
            &[&seeds],
        );

        log(&EscrowClosed {
            escrow: *self.escrow.address(),
            payer,
            mint,
            destination: *self.destination.address(),
            amount,
        });
        Ok(())
    }
}
