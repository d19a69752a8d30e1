//! Which resources this process offered to the catalogue lately.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use x402_escrow_interface::message::Digest;

/// A resource is offered again at most so often, in seconds: each time is a write.
const AGAIN_SECONDS: i64 = 600;

/// Of how many resources it is remembered.
const REMEMBERED: usize = 10_000;

/// Each resource that was offered, and when, unix seconds.
#[derive(Debug, Default)]
pub struct RecentOffers(Mutex<HashMap<Digest, i64>>);

impl RecentOffers {
    /// Whether a resource is to be offered at `now`, unix seconds: then it counts as offered.
    pub fn is_due(&self, key: &Digest, now: i64) -> bool {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.get(key).is_some_and(|at| now < at.saturating_add(AGAIN_SECONDS)) {
            return false;
        }
        if recent.len() >= REMEMBERED {
            recent.clear();
        }
        recent.insert(*key, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_offered_once_in_a_while() {
        let recent = RecentOffers::default();
        let due = [0, 599, 600, 601].map(|now| recent.is_due(&[1; 32], now));
        assert_eq!(due, [true, false, true, false]);
        assert!(recent.is_due(&[2; 32], 601));
    }
}
