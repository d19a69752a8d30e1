//! Tokens that leave a vault.

use anchor_lang::prelude::*;

use crate::{
    error::EscrowError,
    remaining::RemainingAccounts,
    state::Escrow,
    token::{Transfer, associated_token_address, can_receive},
};

/// Moves tokens out of a vault, signed by the escrow.
pub(crate) struct Payout<'a> {
    pub(crate) escrow: &'a Account<Escrow>,
    pub(crate) vault: &'a UncheckedAccount,
    pub(crate) mint: &'a UncheckedAccount,
    pub(crate) token_program: &'a Address,
}

impl Payout<'_> {
    /// Pays `amount` base units to the token account `to`. Nothing moves if that is 0.
    pub(crate) fn pay(&self, to: &AccountView, amount: u64) {
        if amount == 0 {
            return;
        }
        let Escrow { payer, mint, bump, decimals, .. } = **self.escrow;
        let seeds: [&[u8]; 4] = [b"escrow", payer.as_ref(), mint.as_ref(), &[bump]];
        let (mut vault, mut to) = (*self.vault.account(), *to);
        Transfer {
            from: CpiHandleMut::writable(&mut vault).into(),
            mint: self.mint.cpi_handle(),
            to: CpiHandleMut::writable(&mut to).into(),
            authority: self.escrow.cpi_handle(),
            token_program: self.token_program,
            decimals,
        }
        .invoke(amount, &[&seeds]);
    }

    /// Pays `amount` base units, of which `fee_due` are for the fee recipient, and returns the fee that was paid.
    ///
    /// The fee goes to the recipient's associated token account, which must be among `remaining`. If that can't receive, the
    /// receiver gets everything: no fee recipient can block a payment.
    pub(crate) fn pay_split(
        &self,
        receiver_token_account: &UncheckedAccount,
        fee_recipient: &Address,
        remaining: RemainingAccounts<'_>,
        amount: u64,
        fee_due: u64,
    ) -> Result<u64> {
        let mut fee = 0;
        if fee_due > 0 {
            let Escrow { token_program, mint, .. } = &**self.escrow;
            let address = associated_token_address(fee_recipient, token_program, mint);
            let to = remaining.find(&address).ok_or(EscrowError::WrongFeeTokenAccount)?;
            if can_receive(to, token_program) {
                self.pay(to, fee_due);
                fee = fee_due;
            }
        }
        self.pay(
            receiver_token_account.account(),
            amount.checked_sub(fee).ok_or(EscrowError::AmountOverflow)?,
        );
        Ok(fee)
    }
}
