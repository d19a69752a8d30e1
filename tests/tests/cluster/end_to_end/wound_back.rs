//! A cluster that is wound back further than a fork can, under a verifier that runs.

use std::{sync::PoisonError, time::Duration};

use serde_json::{Value, json};
use x402_escrow_interface::Address;
use x402_escrow_tests::local::{
    Local, Verifier,
    parties::{Parties, Terms, now},
};

use crate::shop::ONE_AT_A_TIME;

/// How many slots a node may be behind itself and is believed.
const FORK: u64 = 30;
/// How many are undone at least.
const UNDONE: u64 = FORK + 20;
const AMOUNT: u64 = 1_000;
const PATIENCE: Duration = Duration::from_secs(300);

/// Dropped from top to bottom, the cluster after those who use it.
struct Setting {
    verifier: Verifier,
    parties: Parties,
    local: Local,
}

impl Setting {
    fn open() -> Self {
        let local = Local::start(&|_| {}).unwrap();
        // A cluster that starts from an old ledger has an old time, and catches up slowly.
        let verifier = Verifier::start_with(&local, &[("X402_MAXIMUM_SLOT_AGE_SECONDS", "3600")]).unwrap();
        let (parties, _) = Parties::open(&local, &verifier).unwrap();
        local.chain.wait_until_final().unwrap();
        Self { verifier, parties, local }
    }

    /// The cluster's slot.
    fn slot(&self) -> u64 {
        self.local.chain.slot().unwrap()
    }

    /// The newest slot that the verifier was told of, or why there is none.
    fn seen(&self) -> Result<u64, String> {
        let health: Value = self.verifier.health().unwrap();
        health["slot"].as_u64().ok_or_else(|| health["reasons"][0].as_str().unwrap().to_owned())
    }

    fn wait_for(&self, what: &str, holds: impl Fn() -> bool) {
        self.local.chain.wait_until(what, PATIENCE, || Ok(holds())).unwrap();
    }

    /// Waits until it pays to wind back, and has the cluster start again from the copy of its ledger, made at `copied_at`.
    /// The verifier does not believe it. Returns the newest slot that was.
    fn wind_back(&self, copied_at: u64) -> u64 {
        self.wait_for("slots to undo", || self.slot() >= copied_at + UNDONE);
        let newest = self.seen().unwrap();
        let validator = self.local.validator();
        validator.kill();
        validator.put_ledger_back().unwrap();
        self.local.restart_validator().unwrap();
        // What it says of itself is up to a second old.
        self.wait_for("the verifier not to believe it", || self.seen().is_err());
        let refused = self.seen().unwrap_err();
        assert!(refused.contains("the cluster was wound back"), "{refused}");
        println!("from slot {newest} back to {}", self.slot());
        newest
    }

    /// Has a payment held and captured.
    fn pay(&self) {
        let deadline = now() + 600;
        let terms = Terms { amount: AMOUNT, request_price: None, capture_deadline: deadline };
        let requirements = self.parties.requirements(&terms);
        let (payload, id) = self.parties.intent(&requirements, deadline).unwrap();
        self.parties.settle_until_decided(&requirements, &json!(payload)).unwrap();
        let capture = self.parties.capture(id, AMOUNT, true);
        self.parties.settle_until_decided(&requirements, &capture).unwrap();
    }

    fn assert_books(&self, earned: u64) {
        let (chain, mint) = (&self.local.chain, &self.local.mint);
        let merchant = Address::from(self.parties.merchant.verifying_key().to_bytes());
        let escrow = chain.escrow(&self.parties.owner, mint).unwrap();
        let books = (chain.tokens(&merchant, mint).unwrap(), escrow.balance, escrow.held);
        assert_eq!(books, (earned, Parties::DEPOSIT - earned, 0));
    }
}

#[test]
fn a_verifier_waits_until_the_cluster_is_where_it_was_unless_it_is_started_again() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut setting = Setting::open();
    setting.local.validator().copy_ledger().unwrap();
    let copied_at = setting.slot();

    let newest = setting.wind_back(copied_at);
    setting.verifier.kill();
    setting.verifier.restart().unwrap();
    let seen = setting.seen().unwrap();
    assert!(seen + FORK < newest, "a new process believes it at once: {seen} of {newest}");

    let newest = setting.wind_back(copied_at);
    setting.wait_for("the verifier to believe the node", || match setting.seen() {
        Ok(seen) => {
            assert!(seen + FORK >= newest, "too early: {seen} of {newest}");
            true
        }
        Err(_) => false,
    });
    setting.pay();
    setting.assert_books(AMOUNT);
}
