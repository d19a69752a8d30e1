//! What was signed, what the verifier said yes to, and what it did wrong on the way.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use x402_escrow_domain::payment::{Action, HoldTerms};
use x402_escrow_interface::{
    instruction::Signature,
    message::{Digest, Intent},
};

use crate::{clock::Time, gate::Gate};

/// One payment, as those know it who signed for it.
#[derive(Clone, Debug)]
pub struct Deal {
    /// What the payer signed.
    pub intent: Intent,
    /// The session key's signature.
    pub signature: Signature,
    /// Whether the verifier said that it is held.
    pub is_held: bool,
    /// The highest capture or voucher that anybody signed, in base units.
    pub signed: u64,
    /// The highest capture or voucher that the verifier said yes to, in base units.
    pub promised: u64,
    /// The least that the merchant signed that it ends at, if anything, in base units.
    pub released: Option<u64>,
    /// The most that the merchant asked to have refunded, in base units.
    pub refunded: u64,
    /// What a shop served and took for it, in base units.
    pub served: u64,
    /// Whether a relayer tried to have it held.
    pub is_relayed: bool,
    /// What it is part of.
    pub story: &'static str,
}

impl Deal {
    /// What the verifier needs to have it held.
    pub fn terms(&self) -> HoldTerms {
        HoldTerms { intent: self.intent, signature: self.signature, receiver_proof: Vec::new() }
    }

    /// Notes that the merchant signed that it ends at `amount` base units.
    pub fn release(&mut self, amount: u64) {
        self.released = Some(self.released.map_or(amount, |before| before.min(amount)));
    }
}

/// A payment of the scheme `exact`, as its payer knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// How often the verifier said yes.
    pub yes: u64,
}

/// All of them.
#[derive(Debug)]
pub struct Ledger {
    time: Time,
    gate: Gate,
    deals: Mutex<BTreeMap<Digest, Deal>>,
    transfers: Mutex<BTreeMap<Digest, Transfer>>,
    /// What can be carried out by whoever has it.
    signed: Mutex<Vec<(Digest, Action)>>,
    faults: Mutex<Vec<String>>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    /// Nothing was signed yet.
    pub fn new(time: Time, gate: Gate) -> Self {
        Self {
            time,
            gate,
            deals: Mutex::default(),
            transfers: Mutex::default(),
            signed: Mutex::default(),
            faults: Mutex::default(),
            counts: Mutex::default(),
        }
    }

    /// Notes an intent that was signed.
    pub fn sign(&self, intent: Intent, signature: Signature, story: &'static str) -> Digest {
        let id = intent.digest();
        let deal = Deal {
            intent,
            signature,
            is_held: false,
            signed: 0,
            promised: 0,
            released: None,
            refunded: 0,
            served: 0,
            is_relayed: false,
            story,
        };
        lock(&self.deals).entry(id).or_insert(deal);
        self.hand_out(id, Action::Authorize);
        self.count("signed intents");
        id
    }

    /// Notes what was signed about a payment.
    pub fn hand_out(&self, id: Digest, action: Action) {
        lock(&self.signed).push((id, action));
    }

    /// One of the things that were signed, with its payment.
    pub fn signed(&self, choose: impl FnOnce(usize) -> usize) -> Option<(HoldTerms, Action)> {
        let (id, action) = {
            let signed = lock(&self.signed);
            if signed.is_empty() {
                return None;
            }
            signed[choose(signed.len())]
        };
        lock(&self.deals).get(&id).map(|deal| (deal.terms(), action))
    }

    /// The first of what was signed about a payment that `is_it`, with the payment.
    pub fn signed_about(&self, id: &Digest, is_it: impl Fn(&Action) -> bool) -> Option<(HoldTerms, Action)> {
        let signed = lock(&self.signed);
        let (_, action) = signed.iter().find(|(of, action)| of == id && is_it(action))?;
        lock(&self.deals).get(id).map(|deal| (deal.terms(), *action))
    }

    /// Notes a transfer that was signed.
    pub fn sign_transfer(&self, id: Digest) {
        lock(&self.transfers).entry(id).or_default();
        self.count("signed transfers");
    }

    /// Notes that a server was told that it is paid.
    pub fn tell_transfer(&self, id: Digest) {
        lock(&self.transfers).entry(id).or_default().yes += 1;
    }

    /// Every transfer.
    pub fn transfers(&self) -> BTreeMap<Digest, Transfer> {
        lock(&self.transfers).clone()
    }

    /// Changes what is known of a payment.
    pub fn update(&self, id: &Digest, change: impl FnOnce(&mut Deal)) {
        if let Some(deal) = lock(&self.deals).get_mut(id) {
            change(deal);
        }
    }

    /// Notes something that must not happen.
    pub fn fault(&self, what: String) {
        let (seconds, step) = (self.time.elapsed().as_secs_f64(), self.gate.steps());
        tracing::error!("{seconds:.1} s, step {step}: {what}");
        lock(&self.faults).push(format!("{seconds:.1} s, step {step} of the store: {what}"));
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
