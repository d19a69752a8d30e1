use anchor_lang::prelude::*;

use crate::{
    error::EscrowError,
    events::EscrowClosed,
    state::Escrow,
    token::{close_token_account, tokens_in},
};

#[derive(Accounts)]
pub struct CloseEscrow {
    #[account(address = escrow.payer @ EscrowError::WrongPayer)]
    pub payer: Signer,
    #[account(mut, close = rent_payer)]
    pub escrow: Account<Escrow>,
    #[account(mut, address = escrow.vault @ EscrowError::WrongVault)]
    pub vault: UncheckedAccount,
    /// Gets the rent of the escrow and of its vault back.
    #[account(mut, unsafe(dup), address = escrow.rent_payer @ EscrowError::WrongRentPayer)]
    pub rent_payer: UncheckedAccount,
    #[account(address = escrow.token_program @ EscrowError::WrongTokenProgram)]
    pub token_program: UncheckedAccount,
}

impl CloseEscrow {
    /// What a stranger sent to the vault is synced and withdrawn first. The token program would refuse to close a
    /// vault with tokens too, but not one of wrapped SOL: its tokens would go to the rent payer.
    pub(crate) fn close_escrow(&mut self) -> Result<()> {
        require!(self.escrow.open_sessions == 0, EscrowError::EscrowHasSessions);
        let tokens = tokens_in(self.vault.account())?;
        require!(self.escrow.balance == 0 && tokens == 0, EscrowError::EscrowNotEmpty);
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

        emit!(EscrowClosed { escrow: *self.escrow.address(), payer, mint });
        Ok(())
    }
}
