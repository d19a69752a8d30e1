//! What a transaction offers for its place in a block, and what is paid of a client's: as much as recent blocks needed.
//! Uses `payment`.

use std::ops::RangeInclusive;

use crate::payment::{Action, AttemptState, Tracked};

/// The cluster's fee for each signature of a transaction, in lamports. The priority fee is added to it.
pub(crate) const LAMPORTS_PER_SIGNATURE: u64 = 5000;

/// A capture whose deadline is closer than this must not miss a block, in seconds.
const URGENT_SECONDS: i64 = 120;

/// Gets into blocks unless they are full, in millionths of a lamport for a compute unit.
const UNHURRIED: u64 = 10_000;

/// What a client's transfer may use, in compute units: some 20,000 with a memo, and some thousands for each of
/// Lighthouse's assertions and for extensions of Token-2022.
const TRANSFER_COMPUTE_UNITS: u64 = 60_000;

/// How much depends on the next blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// It can wait for a cheaper block.
    #[default]
    Usual,
    /// It is worth nothing soon, or an earlier transaction was in no block.
    High,
    /// Both.
    Highest,
}

/// Whether `action` must be in a block soon or is worth nothing: a capture close to its deadline. Both times in unix
/// seconds.
pub fn is_urgent(action: &Action, capture_deadline: i64, now: i64) -> bool {
    let left = capture_deadline.saturating_sub(now);
    matches!(action, Action::Capture { .. } | Action::Close { .. }) && left < URGENT_SECONDS
}

/// How urgent `tracked` is at `now`. Both times in unix seconds.
pub fn urgency(tracked: &Tracked, capture_deadline: i64, now: i64) -> Urgency {
    let is_late = is_urgent(&tracked.operation.action, capture_deadline, now);
    let has_missed = tracked.attempts.iter().any(|attempt| attempt.state == AttemptState::Expired);
    match (is_late, has_missed) {
        (false, false) => Urgency::Usual,
        (true, true) => Urgency::Highest,
        _ => Urgency::High,
    }
}

/// The price of a compute unit, in millionths of a lamport, within `bounds`: what three of four recent blocks would have
/// taken a transaction for that writes to the same accounts; nineteen of twenty, where it is urgent; the most, where that
/// did not do. `recent` are the least prices of those blocks; where they are not known, what is urgent gets the most.
pub fn price(recent: Option<Vec<u64>>, bounds: &RangeInclusive<u64>, urgency: Urgency) -> u64 {
    let percentile = match (urgency, &recent) {
        (Urgency::Highest, _) | (Urgency::High, None) => return *bounds.end(),
        (Urgency::High, Some(_)) => 95,
        (Urgency::Usual, _) => 75,
    };
    let mut recent = recent.unwrap_or_default();
    recent.sort_unstable();
    let needed = recent.get(recent.len() * percentile / 100).copied().unwrap_or(0);
    needed.clamp(*bounds.start(), *bounds.end())
}

/// What a transaction offers that must be the same each time it is drafted, in millionths of a lamport for a compute unit,
/// within `bounds`.
pub fn fixed_price(bounds: &RangeInclusive<u64>) -> u64 {
    UNHURRIED.clamp(*bounds.start(), *bounds.end())
}

/// The priority fee of a transaction that offers `price_micro_lamports` for each of `compute_units`, in lamports.
pub fn lamports(price_micro_lamports: u64, compute_units: u64) -> u64 {
    let micro_lamports = u128::from(price_micro_lamports) * u128::from(compute_units);
    u64::try_from(micro_lamports.div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// The most priority fee that is paid of a client's transfer, in lamports: `always`, and more while recent blocks needed
/// more, within `bounds` of a compute unit's price. Clients ask for units and prices that are none of our concern: only
/// their product costs anything.
pub fn transfer_maximum(recent: Option<Vec<u64>>, bounds: &RangeInclusive<u64>, always: u64) -> u64 {
    // What is not known needs no more than what is always paid.
    let recent = Some(recent.unwrap_or_default());
    always.max(lamports(price(recent, bounds, Urgency::High), TRANSFER_COMPUTE_UNITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: RangeInclusive<u64> = 10..=100;

    #[test]
    fn a_quiet_cluster_gets_the_least_and_a_busy_one_no_more_than_the_most() {
        let priced = |recent: &[u64]| price(Some(recent.to_vec()), &BOUNDS, Urgency::Usual);
        assert_eq!(priced(&[]), 10);
        assert_eq!(priced(&[0, 0, 0, 90]), 90, "one of four blocks would have cost 90");
        assert_eq!(priced(&[0, 0, 0, 0, 90]), 10);
        assert_eq!(priced(&[50, 20, 40, 30]), 50);
        assert_eq!(priced(&[u64::MAX; 8]), 100);
        assert_eq!(price(None, &BOUNDS, Urgency::Usual), 10);
    }

    #[test]
    fn what_is_urgent_gets_what_nearly_every_block_takes_and_the_most_only_where_that_did_not_do() {
        let one_of_twenty = || Some([vec![0; 19], vec![90]].concat());
        assert_eq!(price(one_of_twenty(), &BOUNDS, Urgency::Usual), 10);
        assert_eq!(price(one_of_twenty(), &BOUNDS, Urgency::High), 90);
        assert_eq!(price(Some(vec![0; 8]), &BOUNDS, Urgency::High), 10, "nobody needed more");
        assert_eq!(price(Some(vec![0; 8]), &BOUNDS, Urgency::Highest), 100);
        assert_eq!(price(None, &BOUNDS, Urgency::High), 100, "what is needed is not known");
    }

    #[test]
    fn a_client_is_paid_what_is_always_paid_or_what_recent_blocks_needed() {
        let bounds = 10_000..=500_000;
        let maximum = |recent| transfer_maximum(recent, &bounds, 5000);
        assert_eq!(maximum(None), 5000);
        assert_eq!(maximum(Some(vec![0; 150])), 5000);
        assert_eq!(maximum(Some(vec![200_000; 150])), 12_000);
        assert_eq!(maximum(Some(vec![u64::MAX; 150])), 30_000, "within our own bounds");
        assert_eq!(transfer_maximum(None, &bounds, 0), 600, "as much as our own would offer");
    }

    #[test]
    fn a_part_of_a_lamport_is_a_lamport() {
        assert_eq!((lamports(0, 1), lamports(1, 1), lamports(1_000_000, 3)), (0, 1, 3));
        assert_eq!(lamports(u64::MAX, u64::MAX), u64::MAX);
    }
}
