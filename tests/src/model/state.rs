use std::collections::{BTreeMap, BTreeSet};

use x402_escrow_interface::{Address, instruction::SessionLimits, message::Intent};

use super::Model;

/// A payer's balance of one mint.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "as the program's account of this name has them")]
pub struct Escrow {
    pub payer: Address,
    pub mint: Address,
    pub token_program: Address,
    pub vault: Address,
    pub rent_payer: Address,
    pub guardian: Address,
    pub balance: u64,
    pub revoked_before_slot: u64,
}

/// An agent's key and its bounds.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "as the program's account of this name has them")]
pub struct Session {
    pub escrow: Address,
    pub session_key: Address,
    pub rent_payer: Address,
    pub incarnation: [u8; 32],
    pub opened_slot: u64,
    pub limits: SessionLimits,
    pub revoked: bool,
    /// When `limits.period_seconds` was set, and the number of the period that started then.
    pub periods_since: i64,
    pub first_period: u64,
    /// The period of the latest payment.
    pub period: u64,
    /// Every nonce ever used, however long ago.
    pub nonces: BTreeSet<u64>,
    /// What was charged and what is held or was captured, by nonce. A payment that came to nothing
    /// is left out.
    pub payments: BTreeMap<u64, Payment>,
}

/// What a payment takes of its session's limits.
#[derive(Clone, Copy, Debug)]
pub struct Payment {
    /// In base units.
    pub amount: u64,
    /// In which period it was authorized.
    pub period: u64,
}

impl Session {
    /// What counts against the total.
    pub fn spent(&self) -> u64 {
        self.payments.values().map(|payment| payment.amount).sum()
    }

    /// What counts against the period of the latest payment; 0 without periods.
    pub fn period_spent(&self) -> u64 {
        self.spent_in(self.period)
    }

    /// What counts against a period; 0 without periods.
    pub(super) fn spent_in(&self, period: u64) -> u64 {
        if self.limits.period_seconds == 0 {
            return 0;
        }
        let of_period = self.payments.values().filter(|payment| payment.period == period);
        of_period.map(|payment| payment.amount).sum()
    }

    /// The period that a payment at `now` (unix seconds) counts in. It never goes back, even if the
    /// clock does.
    pub fn period_at(&self, now: i64) -> u64 {
        if self.limits.period_seconds == 0 {
            return self.period;
        }
        let elapsed_seconds = u64::try_from(now - self.periods_since).unwrap_or(0);
        self.period.max(self.first_period + elapsed_seconds / self.limits.period_seconds)
    }

    /// What may still be spent at `now` by the limits on all payments together.
    pub fn left(&self, now: i64) -> u64 {
        let total = self.limits.maximum_total.saturating_sub(self.spent());
        if self.limits.period_seconds == 0 {
            return total;
        }
        let spent = self.spent_in(self.period_at(now));
        total.min(self.limits.maximum_per_period.saturating_sub(spent))
    }

    /// The highest nonce used; 0 if none was.
    pub fn highest_nonce(&self) -> u64 {
        self.nonces.last().copied().unwrap_or(0)
    }
}

/// One authorized payment.
#[derive(Clone, Debug)]
pub struct Hold {
    /// Its session's address.
    pub session: Address,
    /// What the session key signed.
    pub intent: Intent,
    /// Gets the rent back.
    pub rent_payer: Address,
    /// Where the payment ends.
    pub amount: u64,
    /// All that was paid, the fee included.
    pub captured: u64,
    /// The part of it that went to the fee recipient.
    pub fee: u64,
    /// The session's period it counts in.
    pub period: u64,
}

impl Hold {
    /// What is held.
    pub fn open(&self) -> u64 {
        self.amount - self.captured
    }
}

/// Tokens of one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as the token program has them")]
pub struct TokenAccount {
    pub mint: Address,
    pub owner: Address,
    pub amount: u64,
    pub frozen: bool,
}

impl Model {
    /// The open holds of a session, with their addresses.
    pub fn holds_of<'a>(&'a self, session: &'a Address) -> impl Iterator<Item = (&'a Address, &'a Hold)> {
        self.holds.iter().filter(move |(_, hold)| hold.session == *session)
    }

    /// The sessions of an escrow, with their addresses.
    pub fn sessions_of<'a>(
        &'a self,
        escrow: &'a Address,
    ) -> impl Iterator<Item = (&'a Address, &'a Session)> {
        self.sessions.iter().filter(move |(_, session)| session.escrow == *escrow)
    }

    /// What an escrow has promised to receivers: the sum of what its holds hold.
    pub fn held(&self, escrow: &Address) -> u64 {
        let holds = self.holds.values().filter(|hold| hold.intent.escrow == *escrow);
        holds.map(Hold::open).sum()
    }

    /// What an escrow may still promise or pay out.
    pub fn free(&self, escrow: &Address) -> u64 {
        self.escrows.get(escrow).map_or(0, |of| of.balance.saturating_sub(self.held(escrow)))
    }
}
