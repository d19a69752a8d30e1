//! How often something may be asked for.

use std::{hash::Hash, num::NonZeroU32};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

/// So many a minute of each key, and at most as many at once.
#[derive(Debug)]
pub(super) struct Rate<K: Hash + Eq + Clone>(Option<DefaultKeyedRateLimiter<K>>);

impl<K: Hash + Eq + Clone> Rate<K> {
    pub(super) fn new(per_minute: Option<NonZeroU32>) -> Self {
        Self(per_minute.map(|count| RateLimiter::keyed(Quota::per_minute(count))))
    }

    /// Counts one more.
    ///
    /// # Errors
    /// If it is one too many: in how many seconds there is room, at least one.
    pub(super) fn count(&self, key: &K) -> Result<(), u64> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check_key(key).map_err(|not_until| {
            not_until.wait_time_from(DefaultClock::default().now()).as_secs().saturating_add(1)
        })
    }

    /// Forgets the keys whose share is whole again.
    pub(super) fn forget(&self) {
        if let Some(limiter) = &self.0 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_share_and_no_other_keys() {
        let rate = Rate::new(NonZeroU32::new(2));
        assert_eq!((rate.count(&1), rate.count(&1)), (Ok(()), Ok(())));
        let wait = rate.count(&1).unwrap_err();
        assert!((1..=31).contains(&wait), "{wait}");
        assert_eq!(rate.count(&2), Ok(()));
        rate.forget();
        assert!(rate.count(&1).is_err());
    }
}
