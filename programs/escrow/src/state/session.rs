use anchor_lang::prelude::*;
use x402_escrow_interface::{
    receivers::{self, ANYONE},
    replay_window::{self, NonceError, WINDOW_WORDS},
};

use super::VERSION;
use crate::{error::EscrowError, receiver_terms::ReceiverTerms};

/// What a session may spend, as the payer sets it.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy)]
pub struct SessionLimits {
    /// Last second at which the session can authorize.
    pub expires_at: i64,
    /// The most a single payment may hold, in base units.
    pub maximum_payment: u64,
    /// The most that may be held and captured over the session's life, in base units.
    pub maximum_total: u64,
    /// The most that may be held and captured per period, in base units; 0 together with `period_seconds`.
    pub maximum_per_period: u64,
    /// Length of a period, counted from when it was set; 0 for no limit per period.
    pub period_seconds: u64,
    /// Root of the receivers that may be paid, without fees; all zero bytes for anyone.
    pub receivers_root: [u8; 32],
}

impl SessionLimits {
    /// Refuses limits that no payment could meet, at `now` (unix seconds).
    fn check(&self, now: i64) -> Result<()> {
        require!(self.expires_at > now, EscrowError::SessionExpiryPassed);
        require!(self.maximum_payment > 0 && self.maximum_total > 0, EscrowError::LimitIsZero);
        require!((self.maximum_per_period == 0) == (self.period_seconds == 0), EscrowError::PeriodIncomplete);
        Ok(())
    }
}

/// Who an intent pays, and on which terms.
pub(crate) struct Payee<'a> {
    pub(crate) receiver: &'a Address,
    pub(crate) terms: &'a ReceiverTerms<'a>,
}

/// An agent's key and its bounds. Seeds: `"session"`, escrow, session key.
#[account]
pub struct Session {
    pub version: u8,
    /// 1 once the payer or the guardian revoked this session; they may also revoke it with all others, in the escrow.
    pub revoked: u8,
    pub padding: [u8; 2],
    /// Holds whose accounts exist.
    pub open_holds: u32,
    pub escrow: Address,
    /// Signs intents.
    pub session_key: Address,
    /// Gets the rent back.
    pub rent_payer: Address,
    /// Root of the receivers that may be paid, without fees; all zero bytes for anyone.
    pub receivers_root: [u8; 32],
    /// The newest slot hash at the opening; every intent names it.
    pub incarnation: [u8; 32],
    pub opened_slot: u64,

    // Periods are numbered on and on, also when their length changes, so that a number never stands for two of them:
    // `first_period <= period_index`, and while `period_seconds` is not 0, `period_spent <= spent` is what was authorized
    // in period `period_index` and not given back. It may be above `maximum_per_period` after that was lowered.
    /// Start of period `first_period`, in unix seconds: when `period_seconds` was set.
    pub periods_since: i64,
    pub first_period: u64,
    pub expires_at: i64,
    pub maximum_payment: u64,
    pub maximum_total: u64,
    pub maximum_per_period: u64,
    pub period_seconds: u64,
    /// Held and captured so far; what is released is taken off again.
    pub spent: u64,
    /// The part of `spent` that was authorized in period `period_index`.
    pub period_spent: u64,
    /// The period of the latest authorization. Never falls.
    pub period_index: u64,

    // The replay window: a nonce is used if it is 0, `highest_nonce`, more than 1,024 below that, or has its bit set.
    // `highest_nonce` never falls and rises by at most 1,024 at a time; a bit is cleared only when its nonce leaves the
    // window, so no nonce is ever used twice.
    /// The highest nonce seen; 0 for none.
    pub highest_nonce: u64,
    /// Bit `n % 1024` stands for nonce `n` among the 1,024 below the highest.
    pub used_nonces: [u64; WINDOW_WORDS],
    pub spare: [u8; 64],
}

impl Session {
    pub(crate) fn has_known_version(&self) -> bool {
        self.version == VERSION
    }

    /// Sets the limits at `now` (unix seconds). What is spent stays spent; another length of period starts a new one.
    #[inline(never)]
    pub(crate) fn set_limits(&mut self, limits: &SessionLimits, now: i64) -> Result<()> {
        limits.check(now)?;
        if limits.period_seconds != self.period_seconds {
            self.first_period = self.period_index.checked_add(1).ok_or(EscrowError::AmountOverflow)?;
            self.period_index = self.first_period;
            self.periods_since = now;
            self.period_spent = 0;
        }
        self.expires_at = limits.expires_at;
        self.maximum_payment = limits.maximum_payment;
        self.maximum_total = limits.maximum_total;
        self.maximum_per_period = limits.maximum_per_period;
        self.period_seconds = limits.period_seconds;
        self.receivers_root = limits.receivers_root;
        Ok(())
    }

    /// Spends `amount` for `payee` at `now` (unix seconds) if every bound allows it, and uses the nonce.
    pub(crate) fn spend(&mut self, amount: u64, nonce: u64, payee: &Payee<'_>, now: i64) -> Result<()> {
        require!(now <= self.expires_at, EscrowError::SessionExpired);
        self.require_payable(payee)?;
        require!(amount <= self.maximum_payment, EscrowError::PaymentLimitExceeded);
        let spent = self.spent.checked_add(amount).ok_or(EscrowError::AmountOverflow)?;
        require!(spent <= self.maximum_total, EscrowError::TotalLimitExceeded);
        if self.period_seconds != 0 {
            self.spend_in_period(amount, now)?;
        }
        self.spent = spent;
        replay_window::record(&mut self.highest_nonce, &mut self.used_nonces, nonce).map_err(|error| {
            match error {
                NonceError::Used => EscrowError::NonceUsed.into(),
                NonceError::TooOld => EscrowError::NonceTooOld.into(),
                NonceError::TooFarAhead => EscrowError::NonceTooFarAhead.into(),
            }
        })
    }

    /// Requires that the session's list, where there is one, allows the receiver and no fee.
    fn require_payable(&self, payee: &Payee<'_>) -> Result<()> {
        if self.receivers_root == ANYONE {
            return Ok(());
        }
        // The session key names in the intent who takes the fee, and who allows it.
        require!(payee.terms.maximum_fee_bps() == 0, EscrowError::FeeNotAllowed);
        let is_listed = receivers::is_listed(&self.receivers_root, payee.receiver, payee.terms.proof());
        require!(is_listed, EscrowError::ReceiverNotListed);
        Ok(())
    }

    fn spend_in_period(&mut self, amount: u64, now: i64) -> Result<()> {
        let elapsed_seconds = now.saturating_sub(self.periods_since).max(0) as u64;
        let index = self
            .first_period
            .checked_add(elapsed_seconds / self.period_seconds)
            .ok_or(EscrowError::AmountOverflow)?;
        // A clock that steps back (it may, within a fork) stays in the later period: the stricter reading.
        if index > self.period_index {
            self.period_index = index;
            self.period_spent = 0;
        }
        let spent = self.period_spent.checked_add(amount).ok_or(EscrowError::AmountOverflow)?;
        require!(spent <= self.maximum_per_period, EscrowError::PeriodLimitExceeded);
        self.period_spent = spent;
        Ok(())
    }

    /// Gives back what a payment authorized in `period_index` did not take.
    pub(crate) fn give_back(&mut self, amount: u64, period_index: u64) -> Result<()> {
        self.spent = self.spent.checked_sub(amount).ok_or(EscrowError::AmountOverflow)?;
        if self.period_seconds != 0 && period_index == self.period_index {
            self.period_spent = self.period_spent.checked_sub(amount).ok_or(EscrowError::AmountOverflow)?;
        }
        Ok(())
    }
}
