//! What was signed, what the verifier said yes to, and what it did wrong on the way.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use x402_escrow_interface::message::{Digest, Intent};

use crate::clock::Time;

/// One payment, as those know it who signed for it.
#[derive(Clone, Debug)]
pub struct Deal {
    /// What the payer signed.
    pub intent: Intent,
    /// Whether the verifier said that it is held.
    pub is_held: bool,
    /// The highest capture or voucher that anybody signed, in base units.
    pub signed: u64,
    /// The highest capture or voucher that the verifier said yes to, in base units.
    pub promised: u64,
    /// What the merchant signed that it ends at, if anything, in base units.
    pub released: Option<u64>,
    /// The most that the merchant asked to have refunded, in base units.
    pub refunded: u64,
    /// What it is part of.
    pub story: &'static str,
}

/// All of them.
#[derive(Debug)]
pub struct Ledger {
    time: Time,
    deals: Mutex<BTreeMap<Digest, Deal>>,
    faults: Mutex<Vec<String>>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    /// Nothing was signed yet.
    pub fn new(time: Time) -> Self {
        Self { time, deals: Mutex::default(), faults: Mutex::default(), counts: Mutex::default() }
    }

    /// Notes an intent that was signed.
    pub fn sign(&self, intent: Intent, story: &'static str) -> Digest {
        let id = intent.digest();
        let deal =
            Deal { intent, is_held: false, signed: 0, promised: 0, released: None, refunded: 0, story };
        lock(&self.deals).entry(id).or_insert(deal);
        self.count("signed intents");
        id
    }

    /// Changes what is known of a payment.
    pub fn update(&self, id: &Digest, change: impl FnOnce(&mut Deal)) {
        if let Some(deal) = lock(&self.deals).get_mut(id) {
            change(deal);
        }
    }

    /// Notes something that must not happen.
    pub fn fault(&self, what: String) {
        let at = self.time.elapsed().as_secs_f64();
        tracing::error!("{at:.1} s: {what}");
        lock(&self.faults).push(format!("{at:.1} s: {what}"));
    }

    /// Counts something that happens.
    pub fn count(&self, what: &'static str) {
        *lock(&self.counts).entry(what).or_default() += 1;
    }

    /// Every payment.
    pub fn deals(&self) -> BTreeMap<Digest, Deal> {
        lock(&self.deals).clone()
    }

    /// What must not have happened.
    pub fn faults(&self) -> Vec<String> {
        lock(&self.faults).clone()
    }

    /// What happened how often.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.counts).clone()
    }
}
