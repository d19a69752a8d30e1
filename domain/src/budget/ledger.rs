//! The slices of budgets that one process has.

use std::collections::HashMap;

use super::{Budget, Budgets, Kind};

/// A process takes what it needs of a budget, and as much again as it has spent of it, up to this part of it. What is left
/// of a slice in a crash is lost for the rest of the period: never more than the process has spent.
const SLICES: u64 = 50;

/// A budget of which the store has nothing left is asked for again after this time: others may have given back.
const ASK_AGAIN_SECONDS: i64 = 10;

/// When to try again where rent is locked: it comes back as soon as nothing is held.
const RENT_COMES_BACK_SECONDS: i64 = 60;

/// A slice that is not used for so long is given back.
const IDLE_SECONDS: i64 = 600;

/// What a process has of the budgets.
#[derive(Debug)]
pub struct Ledger {
    budgets: Budgets,
    slices: HashMap<Budget, Held>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    ends_at: i64,
    left: u64,
    /// What this process spent of it.
    spent: u64,
    used_at: i64,
    /// Until when the store is not asked for more.
    refused_until: i64,
}

/// A part of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Of which.
    pub budget: Budget,
    /// When its period ends, unix seconds.
    pub ends_at: i64,
    /// How much, in lamports.
    pub lamports: u64,
}

/// A slice that is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The slice that is wanted.
    pub wanted: Slice,
    /// Less than this is of no use, in lamports.
    pub at_least: u64,
    /// What the whole budget has, in lamports.
    pub limit: u64,
}

/// Whether something can be afforded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was charged.
    Charged,
    /// Nothing was charged: these slices are needed first.
    Lease(Vec<Lease>),
    /// Nothing was charged: a budget is used up.
    UsedUp(UsedUp),
}

/// A budget that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedUp {
    /// Which.
    pub budget: Budget,
    /// In how many seconds to try again: at least one.
    pub retry_after_seconds: u64,
}

impl Ledger {
    /// Has nothing yet of `budgets`.
    pub fn new(budgets: Budgets) -> Self {
        Self { budgets, slices: HashMap::new() }
    }

    /// Charges all of `charges`, in lamports, or nothing. `now` is in unix seconds.
    pub fn charge(&mut self, charges: &[(Budget, u64)], now: i64) -> Verdict {
        let mut leases = Vec::new();
        for (budget, lamports) in charges {
            let held = self.slice(budget, now);
            let missing = lamports.saturating_sub(held.left);
            let Some(limit) = self.budgets.limit(budget).filter(|_| missing > 0) else { continue };
            if now < held.refused_until {
                return used_up(*budget, held.ends_at, now);
            }
            let lamports = missing.max(held.spent.min(limit / SLICES));
            let wanted = Slice { budget: *budget, ends_at: held.ends_at, lamports };
            leases.push(Lease { wanted, at_least: missing, limit });
        }
        if !leases.is_empty() {
            return Verdict::Lease(leases);
        }
        for (budget, lamports) in charges {
            self.change(budget, now, |held| {
                held.left = held.left.saturating_sub(*lamports);
                held.spent = held.spent.saturating_add(*lamports);
            });
        }
        Verdict::Charged
    }

    /// Adds what the store granted of `lease`, in lamports; 0 means that it has no more.
    pub fn add(&mut self, lease: &Lease, granted: u64, now: i64) {
        let Slice { budget, ends_at, .. } = lease.wanted;
        self.change(&budget, now, |held| {
            if held.ends_at == ends_at && granted > 0 {
                held.left = held.left.saturating_add(granted);
            } else if held.ends_at == ends_at {
                held.refused_until = now.saturating_add(ASK_AGAIN_SECONDS).min(ends_at);
            }
        });
    }

    /// Takes back a charge of what did not come about, at `charged_at`, unless its period is over.
    pub fn take_back(&mut self, charges: &[(Budget, u64)], charged_at: i64, now: i64) {
        for (budget, lamports) in charges {
            if budget.period.end(charged_at) == budget.period.end(now) {
                self.change(budget, now, |held| {
                    held.left = held.left.saturating_add(*lamports);
                    held.spent = held.spent.saturating_sub(*lamports);
                });
            }
        }
    }

    /// What is left of a budget's slice, in lamports.
    pub fn left(&self, budget: &Budget, now: i64) -> u64 {
        self.slice(budget, now).left
    }

    /// Removes slices that nobody used for a while or whose period is over, and returns what can be given back of them.
    pub fn remove_idle(&mut self, now: i64) -> Vec<Slice> {
        self.remove(|held| now.saturating_sub(held.used_at) >= IDLE_SECONDS || held.ends_at <= now)
    }

    /// Removes all slices, and returns what can be given back of them.
    pub fn remove_all(&mut self) -> Vec<Slice> {
        self.remove(|_| true)
    }

    fn remove(&mut self, is_removed: impl Fn(&Held) -> bool) -> Vec<Slice> {
        let removed = self.slices.extract_if(|_, held| is_removed(held));
        removed.map(|(budget, held)| Slice { budget, ends_at: held.ends_at, lamports: held.left }).collect()
    }

    /// The slice of the period that `now` is in.
    fn slice(&self, budget: &Budget, now: i64) -> Held {
        let ends_at = budget.period.end(now);
        let held = self.slices.get(budget).copied().filter(|held| held.ends_at == ends_at);
        held.unwrap_or(Held { ends_at, left: 0, spent: 0, used_at: now, refused_until: now })
    }

    fn change(&mut self, budget: &Budget, now: i64, change: impl FnOnce(&mut Held)) {
        let mut held = Held { used_at: now, ..self.slice(budget, now) };
        change(&mut held);
        self.slices.insert(*budget, held);
    }
}

fn used_up(budget: Budget, ends_at: i64, now: i64) -> Verdict {
    let left = ends_at.saturating_sub(now).max(1);
    let wait = if budget.kind == Kind::Rent { left.min(RENT_COMES_BACK_SECONDS) } else { left };
    Verdict::UsedUp(UsedUp { budget, retry_after_seconds: wait.unsigned_abs() })
}

#[cfg(test)]
mod tests;
