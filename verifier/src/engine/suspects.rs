//! Escrows of which an authorization or a charge made a transaction fail that it shared with others: theirs go alone for an
//! hour. Kept in memory, since forgetting one costs no more than another such transaction.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use x402_escrow_domain::payment::Payment;
use x402_escrow_interface::Address;

/// For how long its authorizations and charges go alone.
const ALONE: Duration = Duration::from_secs(3600);

/// Of how many it is known. Each made a transaction fail: whoever has more escrows pays to have the oldest forgotten.
const MOST: usize = 10_000;

/// The escrows whose authorizations and charges go alone, with until when.
#[derive(Debug, Default)]
pub struct Suspects(Mutex<HashMap<Address, Instant>>);

impl Suspects {
    /// A transaction that others shared failed for this payment's authorization or charge.
    pub fn note(&self, payment: &Payment) {
        let Some(signed) = payment.intent() else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            let now = Instant::now();
            known.retain(|_, until| *until > now);
        }
        if known.len() >= MOST
            && let Some(oldest) = known.iter().min_by_key(|(_, until)| **until).map(|(escrow, _)| *escrow)
        {
            known.remove(&oldest);
        }
        known.insert(signed.intent.escrow, Instant::now() + ALONE);
    }

    /// Whether the escrow's authorizations and charges go alone.
    pub fn contains(&self, escrow: &Address) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(escrow).is_some_and(|until| *until > Instant::now())
    }
}
