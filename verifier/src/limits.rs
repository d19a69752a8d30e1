//! How much one client, one session and all together may ask. What an escrow's owner may hold is in [`crate::policy`].

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use tokio::sync::Semaphore;
use x402_escrow_interface::Address;

use crate::{app::App, error::ApiError};

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

/// The layer that answers 429 to a client that asks too often, and 503 while too much is worked on.
pub async fn limit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let limits = &app.limits;
    if let Some(client) = client(&request, &limits.trusted_proxies)
        && let Err(too_many) = limits.clients.count(&client)
    {
        return ApiError::too_many_requests("this address asks too often", too_many).into_response();
    }
    let Ok(_permit) = limits.requests.try_acquire() else {
        let message = "too many requests are worked on; try again";
        return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message)
            .retry_after(1)
            .into_response();
    };
    next.run(request).await
}

/// Whose request it is. `None` only where there is no connection, which a listener always has.
fn client(request: &Request, trusted_proxies: &[IpAddr]) -> Option<IpAddr> {
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    let peer = peer.ip().to_canonical();
    let client = if trusted_proxies.contains(&peer) {
        forwarded_for(request.headers(), trusted_proxies).unwrap_or(peer)
    } else {
        peer
    };
    Some(network(client))
}

/// The last address that is no trusted proxy's: those before it are whatever the client wrote.
fn forwarded_for(headers: &HeaderMap, trusted_proxies: &[IpAddr]) -> Option<IpAddr> {
    let values = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let addresses: Vec<_> = values.flat_map(|value| value.split(',')).collect();
    let address = |text: &&str| text.trim().parse().ok().map(|address: IpAddr| address.to_canonical());
    addresses.iter().rev().map_while(address).find(|address| !trusted_proxies.contains(address))
}

/// Who has one IPv6 address has the other 2^64 of its network.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(peer: &str, forwarded: &[&str]) -> Request {
        let mut request = Request::new(Body::empty());
        let peer: IpAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer, 1)));
        for value in forwarded {
            request.headers_mut().append("x-forwarded-for", value.parse().unwrap());
        }
        request
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_whom_it_speaks_for() {
        let proxies: Vec<IpAddr> = vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &[][..], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            // What the client itself wrote stands before what the proxy adds.
            ("10.0.0.1", &["203.0.113.5, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.5", "198.51.100.7, 10.0.0.2"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7, nonsense"], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("2001:db8:1:2:3:4:5:6", &[], "2001:db8:1:2::"),
        ] {
            let client = client(&request(peer, forwarded), &proxies);
            assert_eq!(client, Some(expected.parse().unwrap()), "{peer} {forwarded:?}");
        }
    }

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
