//! What is left to do with a payment that nobody ended. Uses `payment`, `policy`.

use crate::{
    payment::{Action, History, Operation},
    policy::Policy,
};

/// How long to wait for operations that are under way.
pub const AGAIN_SECONDS: i64 = 60;

/// What a review comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Review {
    /// Something is to be done.
    Act(Action),
    /// Look again at this time, unix seconds.
    Again(i64),
    /// Nothing is left.
    Done,
}

/// What time it is on the cluster, unix seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterTime {
    /// By the newest block, which may still be skipped: for what must not come too late.
    pub newest: i64,
    /// By the newest final block: for what must not come too early.
    pub last_final: i64,
}

/// What is left to do with a payment at this `time`.
pub fn review(history: &History, time: ClusterTime, policy: &Policy) -> Review {
    let now = time.newest;
    let capture_deadline = history.payment.capture_deadline();
    // A voucher is worth nothing after the deadline, so it doesn't wait for what is under way.
    if let Some(capture) = history.uncaptured().filter(|_| now <= capture_deadline) {
        return act_after(policy.last_reserved_second(capture_deadline), now, capture);
    }
    if history.operations.iter().any(|tracked| !tracked.operation.closed) {
        return Review::Again(now.saturating_add(AGAIN_SECONDS));
    }
    if history.authorization().is_negative() {
        return Review::Done;
    }
    // One that was refused is tried again: until it succeeds the payer lacks its money.
    let is_reclaim =
        |operation: &Operation| operation.action == Action::Reclaim && !operation.came_to_nothing();
    let was_reclaimed = history.operations.iter().any(|tracked| is_reclaim(&tracked.operation));
    let sums = history.settled_sums();
    if sums.captured < sums.ends_at && !was_reclaimed {
        return reclaim_after(capture_deadline, time);
    }
    Review::Done
}

fn act_after(deadline: i64, now: i64, action: Action) -> Review {
    if now > deadline { Review::Act(action) } else { Review::Again(deadline.saturating_add(1)) }
}

/// A reclaim, once a final block is after the deadline.
fn reclaim_after(capture_deadline: i64, time: ClusterTime) -> Review {
    let now = time.newest;
    // Once it is begun no capture is taken any more, and a leader's clock can be ahead in a block that is skipped.
    let final_since = now.saturating_sub(time.last_final);
    match act_after(capture_deadline.saturating_add(final_since), now, Action::Reclaim) {
        // The final block may soon be less far behind than it is now.
        Review::Again(at) => Review::Again(at.min(now.max(capture_deadline).saturating_add(AGAIN_SECONDS))),
        act => act,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reclaim_waits_until_the_deadline_is_final_and_looks_again_within_a_minute() {
        let after = |deadline, last_final| reclaim_after(deadline, ClusterTime { newest: 1000, last_final });
        assert_eq!(after(900, 987), Review::Act(Action::Reclaim));
        assert_eq!(after(990, 987), Review::Again(1004));
        assert_eq!(after(2000, 987), Review::Again(2014));
        for last_final in [-5_000, i64::MIN] {
            assert_eq!(after(990, last_final), Review::Again(1060));
            assert_eq!(after(2000, last_final), Review::Again(2060));
        }
    }
}
