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
mod tests {
    use x402_escrow_interface::Address;

    use super::{
        super::{Cost, Limit, Limits, Owner, Period},
        *,
    };

    const NOW: i64 = 7200 + 100;

    fn payer(byte: u8) -> Owner {
        Owner::Payer(Address::new_from_array([byte; 32]))
    }

    /// A payer has 1,000 lamports of fees an hour, all have 10,000.
    fn budgets() -> Budgets {
        let hour = |hour| Limit { hour, day: 0 };
        Budgets {
            fees: Limits { payer: hour(1000), receiver: Limit::default(), overall: hour(10_000) },
            rent: Limits::default(),
        }
    }

    fn charges(budgets: &Budgets, byte: u8, fees: u64) -> Vec<(Budget, u64)> {
        budgets.charges(&[payer(byte), Owner::Overall], Cost { fees, rent: 5 })
    }

    /// A store that gives out what is left.
    #[derive(Default)]
    struct Store(HashMap<(Budget, i64), u64>);

    impl Store {
        fn lease(&mut self, lease: &Lease) -> u64 {
            let leased = self.0.entry((lease.wanted.budget, lease.wanted.ends_at)).or_default();
            let granted = lease.wanted.lamports.min(lease.limit - *leased);
            let granted = if granted < lease.at_least { 0 } else { granted };
            *leased += granted;
            granted
        }

        /// Charges as a process does. Whether it could.
        fn charge(&mut self, ledger: &mut Ledger, byte: u8, fees: u64, now: i64) -> bool {
            let charges = charges(&budgets(), byte, fees);
            loop {
                match ledger.charge(&charges, now) {
                    Verdict::Charged => return true,
                    Verdict::UsedUp(_) => return false,
                    Verdict::Lease(leases) => {
                        for lease in leases {
                            let granted = self.lease(&lease);
                            ledger.add(&lease, granted, now);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_payer_spends_its_budget_and_no_more_and_leaves_others_theirs() {
        let (mut store, mut ledger) = (Store::default(), Ledger::new(budgets()));
        let spent = (0..50).filter(|_| store.charge(&mut ledger, 1, 30, NOW)).count();
        assert_eq!(spent, 33);
        assert!(store.charge(&mut ledger, 2, 30, NOW), "another payer");
        assert!(store.charge(&mut ledger, 1, 30, 3 * 3600), "the next hour");
    }

    #[test]
    fn processes_together_spend_no_more_than_the_budget() {
        let mut store = Store::default();
        let mut ledgers: Vec<_> = (0..7).map(|_| Ledger::new(budgets())).collect();
        let mut spent = 0;
        for round in 0..700 {
            let ledger = &mut ledgers[round % 7];
            spent += if store.charge(ledger, 1, 7, NOW) { 7 } else { 0 };
        }
        assert!((1000 - 7 * 20..=1000).contains(&spent), "{spent}");
    }

    #[test]
    fn a_process_that_crashes_again_and_again_loses_no_more_than_it_spends() {
        let mut store = Store::default();
        let mut spent = 0;
        for _ in 0..1000 {
            let mut ledger = Ledger::new(budgets());
            for _ in 0..3 {
                spent += if store.charge(&mut ledger, 1, 5, NOW) { 5 } else { 0 };
            }
        }
        assert!((500..=1000).contains(&spent), "{spent}");
    }

    #[test]
    fn what_did_not_come_about_is_there_again() {
        let (mut store, mut ledger) = (Store::default(), Ledger::new(budgets()));
        for _ in 0..100 {
            assert!(store.charge(&mut ledger, 1, 1000, NOW));
            ledger.take_back(&charges(&budgets(), 1, 1000), NOW, NOW);
        }
        // Of another hour it is not.
        ledger.take_back(&charges(&budgets(), 1, 1000), NOW - 3600, NOW);
        assert!(store.charge(&mut ledger, 1, 1000, NOW) && !store.charge(&mut ledger, 1, 1, NOW));
    }

    #[test]
    fn one_that_has_nothing_left_asks_the_store_once_in_a_while() {
        let (mut store, mut ledger) = (Store::default(), Ledger::new(budgets()));
        assert!(store.charge(&mut ledger, 1, 1000, NOW) && !store.charge(&mut ledger, 1, 1, NOW));
        let again = ledger.charge(&charges(&budgets(), 1, 1), NOW + 9);
        assert!(matches!(again, Verdict::UsedUp(UsedUp { retry_after_seconds: 3491, .. })), "{again:?}");
        let again = ledger.charge(&charges(&budgets(), 1, 1), NOW + 10);
        assert!(matches!(again, Verdict::Lease(_)), "{again:?}");
    }

    #[test]
    fn rent_comes_back_before_the_hour_is_over() {
        let budget = Budget { kind: Kind::Rent, owner: Owner::Overall, period: Period::Day };
        let expected = UsedUp { budget, retry_after_seconds: 60 };
        assert_eq!(used_up(budget, 86_400, NOW), Verdict::UsedUp(expected));
    }

    #[test]
    fn a_slice_that_nobody_uses_is_given_back_while_its_hour_lasts() {
        let (mut store, mut ledger) = (Store::default(), Ledger::new(budgets()));
        for _ in 0..9 {
            assert!(store.charge(&mut ledger, 1, 5, NOW));
        }
        assert_eq!(ledger.remove_idle(NOW + 599), []);
        let left: Vec<_> = ledger.remove_idle(NOW + 600).iter().map(|slice| slice.lamports).collect();
        // Of 1,000 it takes 20 at most, of 10,000 as much again as it has spent.
        assert_eq!(left.iter().sum::<u64>(), 15 + 35, "{left:?}");
        assert!(store.charge(&mut ledger, 1, 5, NOW));
        assert_eq!((ledger.remove_all().len(), ledger.remove_all().len()), (2, 0));
    }
}
