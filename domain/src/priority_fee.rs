//! What a transaction offers for its place in a block. Uses `payment`.

use std::ops::RangeInclusive;

use crate::payment::Action;

/// A capture whose deadline is closer than this is paid for as well as the configuration allows, in seconds.
const URGENT_SECONDS: i64 = 120;

/// The price of a compute unit, in millionths of a lamport, within `bounds`: what three of four recent blocks would have
/// taken a transaction for that writes to the same accounts. `recent` are the least prices of those blocks.
pub fn price(mut recent: Vec<u64>, bounds: &RangeInclusive<u64>, is_urgent: bool) -> u64 {
    if is_urgent {
        return *bounds.end();
    }
    recent.sort_unstable();
    let three_quarters = recent.get(recent.len() * 3 / 4).copied().unwrap_or(0);
    three_quarters.max(*bounds.start()).min(*bounds.end())
}

/// Whether `action` must be in a block soon or is worth nothing: a capture close to its deadline. Both times in unix
/// seconds.
pub fn is_urgent(action: &Action, capture_deadline: i64, now: i64) -> bool {
    let left = capture_deadline.saturating_sub(now);
    matches!(action, Action::Capture { .. } | Action::Close { .. }) && left < URGENT_SECONDS
}

#[cfg(test)]
mod tests {
    use super::price;

    #[test]
    fn a_quiet_cluster_gets_the_least_and_a_busy_one_no_more_than_the_most() {
        let priced = |recent: &[u64]| price(recent.to_vec(), &(10..=100), false);
        assert_eq!(priced(&[]), 10);
        assert_eq!(priced(&[0, 0, 0, 90]), 90, "one of four blocks would have cost 90");
        assert_eq!(priced(&[0, 0, 0, 0, 90]), 10);
        assert_eq!(priced(&[50, 20, 40, 30]), 50);
        assert_eq!(priced(&[u64::MAX; 8]), 100);
    }

    #[test]
    fn what_would_be_too_late_gets_the_most() {
        assert_eq!(price(vec![0; 8], &(10..=100), true), 100);
    }
}
