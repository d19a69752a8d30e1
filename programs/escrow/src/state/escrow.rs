use anchor_lang::prelude::*;

use super::{Session, VERSION};
use crate::error::EscrowError;

/// A payer's balance of one mint. Seeds: `"escrow"`, payer, mint.
///
/// `held <= balance <= vault amount` after every instruction.
#[account]
pub struct Escrow {
    pub version: u8,
    pub bump: u8,
    /// The mint's decimals, as `TransferChecked` wants them.
    pub decimals: u8,
    pub padding: u8,
    /// Sessions whose accounts exist.
    pub open_sessions: u32,
    /// Whose money it is; signs for sessions and withdrawals.
    pub payer: Address,
    pub mint: Address,
    /// The program that owns the mint.
    pub token_program: Address,
    /// The escrow's associated token account, which holds the tokens.
    pub vault: Address,
    /// Gets the rent back.
    pub rent_payer: Address,
    /// May revoke sessions and nothing else; all zero bytes for nobody.
    pub guardian: Address,
    /// Tokens that belong to the payer, in base units; never more than the vault has.
    pub balance: u64,
    /// The part of `balance` that is promised to receivers.
    pub held: u64,
    /// Sessions opened before this slot are revoked. Never falls, and is at most one above the current slot.
    pub revoked_before_slot: u64,
    pub spare: [u8; 64],
}

impl Escrow {
    pub(crate) fn has_known_version(&self) -> bool {
        self.version == VERSION
    }

    /// Whether `key` may revoke this escrow's sessions.
    pub(crate) fn can_be_revoked_by(&self, key: &Address) -> bool {
        *key == self.payer || (self.guardian != Address::default() && *key == self.guardian)
    }

    /// Whether `session` authorizes nothing any more because it was revoked, by itself or with all others.
    pub(crate) fn has_revoked(&self, session: &Session) -> bool {
        session.revoked != 0 || session.opened_slot < self.revoked_before_slot
    }

    /// What is neither held nor gone: `balance - held`.
    pub(crate) fn free(&self) -> Result<u64> {
        self.balance.checked_sub(self.held).ok_or(EscrowError::AmountOverflow.into())
    }

    /// Adds tokens that arrived in the vault.
    pub(crate) fn credit(&mut self, amount: u64) -> Result<()> {
        self.balance = self.balance.checked_add(amount).ok_or(EscrowError::AmountOverflow)?;
        Ok(())
    }

    /// Takes `amount` of the free balance out.
    pub(crate) fn take_free(&mut self, amount: u64) -> Result<()> {
        require!(amount <= self.free()?, EscrowError::InsufficientFreeBalance);
        self.balance = self.balance.checked_sub(amount).ok_or(EscrowError::AmountOverflow)?;
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
