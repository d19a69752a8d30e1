//! Which nonce each client was given last. Kept by client address: a stranger who asks for the nonces of somebody else's
//! session changes nothing about those that others are given.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use tokio::time::{Duration, Instant};
use x402_escrow_interface::Address;

/// For how long an intent that was drafted can be paid, at most about.
const KEPT: Duration = Duration::from_secs(120);

/// What each client was given last for each session of each escrow.
#[derive(Debug, Default)]
pub struct Suggestions(Mutex<Given>);

/// Nonce and time, by client, escrow and session key.
type Given = HashMap<(IpAddr, Address, Address), (u64, Instant)>;

impl Suggestions {
    /// Suggests a nonce to `client` for a session: `choose` is given the last one.
    pub fn next(
        &self,
        client: IpAddr,
        (escrow, session_key): (Address, Address),
        choose: impl FnOnce(Option<u64>) -> Option<u64>,
    ) -> Option<u64> {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (client, escrow, session_key);
        let nonce = choose(given.get(&key).map(|(nonce, _)| *nonce))?;
        given.insert(key, (nonce, Instant::now()));
        Some(nonce)
    }

    pub(super) fn forget(&self) {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given.retain(|_, (_, at)| at.elapsed() < KEPT);
        given.shrink_to_fit();
    }
}
