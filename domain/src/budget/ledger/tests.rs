//! Tests of slices: how processes lease, spend and give them back.

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
