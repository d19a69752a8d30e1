use anchor_lang::{address_eq, prelude::*};

use crate::{
    error::EscrowError,
    events::Refunded,
    state::{Escrow, Hold, Session},
    token::Transfer,
};

#[derive(Accounts)]
pub struct Refund {
    #[account(address = hold.receiver @ EscrowError::WrongReceiver)]
    pub receiver: Signer,
    /// Where the money comes from; the token program checks mint and authority.
    #[account(mut)]
    pub source: UncheckedAccount,
    #[account(mut)]
    pub escrow: Account<Escrow>,
    #[account(constraint(address_eq(&session.escrow, escrow.address()) @ EscrowError::WrongSession))]
    pub session: Account<Session>,
    #[account(mut, constraint(address_eq(&hold.session, session.address()) @ EscrowError::WrongHold))]
    pub hold: Account<Hold>,
    #[account(mut, address = escrow.vault @ EscrowError::WrongVault)]
    pub vault: UncheckedAccount,
    #[account(address = escrow.mint @ EscrowError::WrongMint)]
    pub mint: UncheckedAccount,
    #[account(address = escrow.token_program @ EscrowError::WrongTokenProgram)]
    pub token_program: UncheckedAccount,
}

impl Refund {
    /// A hold fully refunded before its refund deadline is finished; `close_hold` returns its rent.
    pub(crate) fn refund(&mut self, amount: u64) -> Result<()> {
        require!(amount > 0, EscrowError::ZeroAmount);
        require!(
            Clock::get()?.unix_timestamp <= self.hold.refund_deadline,
            EscrowError::RefundDeadlinePassed
        );
        let refunded = self.hold.refunded.checked_add(amount).ok_or(EscrowError::AmountOverflow)?;
        require!(refunded <= self.hold.captured, EscrowError::RefundAboveCaptured);

        self.hold.refunded = refunded;
        self.escrow.credit(amount)?;
        Transfer {
            from: self.source.cpi_handle_mut().into(),
            mint: self.mint.cpi_handle(),
            to: self.vault.cpi_handle_mut().into(),
            authority: self.receiver.cpi_handle(),
            token_program: self.token_program.address(),
            decimals: self.escrow.decimals,
        }
        .invoke(amount, &[]);

        emit!(Refunded {
            escrow: *self.escrow.address(),
            intent_digest: self.hold.intent_digest,
            amount,
            balance: self.escrow.balance,
        });
        Ok(())
    }
}
