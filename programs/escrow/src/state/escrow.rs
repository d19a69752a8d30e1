use anchor_lang::prelude::*;

use crate::error::EscrowError;

/// A payer's balance of one mint. Seeds: `"escrow"`, payer, mint.
#[account]
pub struct Escrow {
    /// Whose money it is; signs for sessions and withdrawals.
    pub payer: Address,
    pub mint: Address,
    /// The program that owns the mint.
    pub token_program: Address,
    /// The escrow's associated token account, which holds the tokens.
    pub vault: Address,
    /// Gets the rent back.
    pub rent_payer: Address,
    /// Tokens that belong to the payer, in base units; never more than the vault has.
    pub balance: u64,
    /// The part of `balance` that is promised to receivers.
    pub held: u64,
    /// Requested to be withdrawn; 0 if nothing is. Stays claimable by intents until it leaves.
    pub pending_withdrawal: u64,
    /// From when on `pending_withdrawal` can leave, in unix seconds.
    pub withdrawable_at: i64,
    /// Time between a withdrawal's request and its payout.
    pub withdraw_delay_seconds: u32,
    /// Sessions whose accounts exist.
    pub open_sessions: u32,
    /// The mint's decimals, as `TransferChecked` wants them.
    pub decimals: u8,
    pub bump: u8,
    pub reserved: [u8; 6],
}

impl Escrow {
    /// What is neither held nor gone: `balance - held`.
    pub(crate) fn free(&self) -> Result<u64> {
        self.balance.checked_sub(self.held).ok_or(EscrowError::AmountOverflow.into())
    }

    /// Adds tokens that arrived in the vault.
    pub(crate) fn credit(&mut self, amount: u64) -> Result<()> {
        self.balance = self.balance.checked_add(amount).ok_or(EscrowError::AmountOverflow)?;
        Ok(())
    }

    /// Promises `amount` of the free balance.
    pub(crate) fn hold(&mut self, amount: u64) -> Result<()> {
        require!(amount <= self.free()?, EscrowError::InsufficientFreeBalance);
        self.held = self.held.checked_add(amount).ok_or(EscrowError::AmountOverflow)?;
        Ok(())
    }

    /// Takes a promise back without paying.
    pub(crate) fn release(&mut self, amount: u64) -> Result<()> {
        self.held = self.held.checked_sub(amount).ok_or(EscrowError::AmountOverflow)?;
        Ok(())
    }

    /// Books `amount` that leaves the vault to keep a promise.
    pub(crate) fn pay_held(&mut self, amount: u64) -> Result<()> {
        self.release(amount)?;
        self.balance = self.balance.checked_sub(amount).ok_or(EscrowError::AmountOverflow)?;
        Ok(())
    }
}
