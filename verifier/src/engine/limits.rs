//! How much one client, one session and all together may ask. What an escrow's owner may hold is in `domain`'s `policy`.

use std::{hash::Hash, net::IpAddr, num::NonZeroU32};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use tokio::sync::{Semaphore, SemaphorePermit};
use x402_escrow_interface::Address;

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitSettings {
    /// Requests that are worked on at once.
    pub maximum_concurrent_requests: usize,
    /// Requests a minute of one client address; `None` for any number.
    pub requests_per_minute_per_client: Option<NonZeroU32>,
    /// New payments a minute of one session, and of one payer of the scheme `exact`; `None` for any number.
    pub payments_per_minute_per_session: Option<NonZeroU32>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
}

/// What was asked lately.
#[derive(Debug)]
pub struct Limits {
    requests: Semaphore,
    clients: Rate<IpAddr>,
    sessions: Rate<(Address, Address)>,
    exact_payers: Rate<Address>,
    trusted_proxies: Vec<IpAddr>,
}

/// In how many seconds it may be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// At least one.
    pub retry_after_seconds: u64,
}

impl Limits {
    /// Nothing was asked yet.
    pub fn new(settings: &LimitSettings) -> Self {
        Self {
            requests: Semaphore::new(settings.maximum_concurrent_requests),
            clients: Rate::new(settings.requests_per_minute_per_client),
            sessions: Rate::new(settings.payments_per_minute_per_session),
            exact_payers: Rate::new(settings.payments_per_minute_per_session),
            trusted_proxies: settings.trusted_proxies.clone(),
        }
    }

    /// Counts a new payment of a session. Only after its signature was checked: nobody else may use up its share.
    ///
    /// # Errors
    /// If that is one too many.
    pub fn count_payment(&self, escrow: Address, session_key: Address) -> Result<(), TooMany> {
        self.sessions.count(&(escrow, session_key))
    }

    /// Counts a new payment of a payer of the scheme `exact`, which has no sessions. Only after its signature was checked.
    ///
    /// # Errors
    /// If that is one too many.
    pub fn count_exact_payment(&self, payer: Address) -> Result<(), TooMany> {
        self.exact_payers.count(&payer)
    }

    /// Counts a request of a client's address.
    ///
    /// # Errors
    /// If that is one too many.
    pub fn count_request(&self, client: IpAddr) -> Result<(), TooMany> {
        self.clients.count(&client)
    }

    /// A place among the requests that are worked on at once; `None` if all are taken.
    pub fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.requests.try_acquire().ok()
    }

    /// Proxies whose `X-Forwarded-For` is believed.
    pub fn trusted_proxies(&self) -> &[IpAddr] {
        &self.trusted_proxies
    }

    /// Forgets who has asked nothing for a minute.
    pub fn forget(&self) {
        self.clients.forget();
        self.sessions.forget();
        self.exact_payers.forget();
    }
}

/// So many a minute of each key, and at most as many at once.
#[derive(Debug)]
struct Rate<K: Hash + Eq + Clone>(Option<DefaultKeyedRateLimiter<K>>);

impl<K: Hash + Eq + Clone> Rate<K> {
    fn new(per_minute: Option<NonZeroU32>) -> Self {
        Self(per_minute.map(|count| RateLimiter::keyed(Quota::per_minute(count))))
    }

    fn count(&self, key: &K) -> Result<(), TooMany> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check_key(key).map_err(|not_until| {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            TooMany { retry_after_seconds: wait.as_secs().saturating_add(1) }
        })
    }

    fn forget(&self) {
        if let Some(limiter) = &self.0 {
            limiter.retain_recent();
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
        let wait = rate.count(&1).unwrap_err().retry_after_seconds;
        assert!((1..=31).contains(&wait), "{wait}");
        assert_eq!(rate.count(&2), Ok(()));
        rate.forget();
        assert!(rate.count(&1).is_err());
    }
}
