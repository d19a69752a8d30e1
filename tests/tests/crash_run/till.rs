//! The verifier that is killed, and the books that must agree afterwards.

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use ed25519_dalek::SigningKey;
use serde_json::Value;
use solana_sdk::signature::Signer;
use tokio::runtime::Builder;
use x402_escrow_interface::{Address, address};
use x402_escrow_tests::{
    local::{
        Agent, Local, Merchant, Verifier,
        parties::{Parties, Terms, now},
    },
    program_id,
};
use x402_escrow_verifier::store::{Database, Look, Store};
use x402_escrow_wire::{
    auth_capture::LifecyclePayload,
    text::{Base58, Decimal, Hex32},
};

use super::{
    counter::{Sale, insist},
    streamer::Streamed,
};

/// From when a node has forgotten a slot until the verifier says so; the node's start is in it.
const NOTICED_WITHIN: Duration = Duration::from_secs(120);

/// Until when all is captured or given back. What is left to itself is given back after its capture deadline; a
/// transaction of a dropped slot is replaced once its blockhash is too old, after 150 blocks or a minute.
const SETTLED_WITHIN: Duration = Duration::from_secs(300);

const ANY: &str = "{ hour = 0, day = 0 }";

/// What nobody ended is looked for every other second: a run waits for it. And a verifier that is killed loses what it had
/// taken of its budgets.
const OF_RUN: [(&str, &str); 7] = [
    ("X402_REVIEW_SECONDS", "2"),
    ("X402_FEE_BUDGET", ANY),
    ("X402_FEE_BUDGET_PER_PAYER", ANY),
    ("X402_FEE_BUDGET_PER_RECEIVER", ANY),
    ("X402_RENT_BUDGET", ANY),
    ("X402_RENT_BUDGET_PER_PAYER", ANY),
    ("X402_RENT_BUDGET_PER_RECEIVER", ANY),
];

/// Dropped from top to bottom, the cluster after those who use it.
pub(super) struct Till {
    verifier: Verifier,
    parties: Parties,
    agent: Agent,
    local: Local,
}

impl Till {
    /// Starts a cluster and a verifier with `settings`, and opens an escrow.
    pub(super) fn open(settings: &[(&'static str, &str)]) -> Self {
        let local = Local::start(&|_| {}).unwrap();
        let settings = [settings, &OF_RUN].concat();
        let verifier = Verifier::start_with(&local, &settings).unwrap();
        let (parties, agent) = Parties::open(&local, &verifier).unwrap();
        Self { verifier, parties, agent, local }
    }

    /// Opens another session, and returns its file.
    pub(super) fn open_session(&self, name: &str) -> PathBuf {
        self.agent.open_session(name).unwrap()
    }

    /// Starts two instances of a merchant who is paid through the verifier.
    pub(super) fn start_merchants(&self, public_url: &str, arguments: &[&str]) -> [Merchant; 2] {
        let first =
            Merchant::start_behind(&self.local, &self.verifier, "shop", public_url, arguments).unwrap();
        let second = first.start_another().unwrap();
        [first, second]
    }

    /// Has a stream that the verifier has captured give the rest back now: by itself it does that after the hold's
    /// deadline only. Waits for the capture.
    #[track_caller]
    pub(super) fn release_rest(&self, streamed: &Streamed, merchant: &SigningKey) {
        let id = streamed.id;
        let report = || self.report(id);
        if streamed.answered == 0 && report()["error"]["code"] == "payment_not_found" {
            return;
        }
        let is_captured = || {
            let payment = self.verifier.payment(&id.to_string())?;
            let captured = payment["captured"].as_str().and_then(|text| text.parse::<u64>().ok());
            Ok(payment["state"] == "ended" || captured >= Some(streamed.answered.max(1)))
        };
        let waited =
            self.local.chain.wait_until("the last voucher to be captured", SETTLED_WITHIN, is_captured);
        assert!(waited.is_ok(), "{streamed:?}: {:#}", report());
        let payment = report();
        if payment["state"] == "ended" {
            return;
        }
        let amount = Decimal(payment["captured"].as_str().unwrap().parse().unwrap());
        let mut parties = self.parties();
        parties.merchant = merchant.clone();
        let terms = Terms { amount: streamed.hold, request_price: Some(1), capture_deadline: now() + 60 };
        let void = LifecyclePayload::Void { payment_id: id, amount, signature: Base58([0; 64]) };
        insist(&parties, &parties.requirements(&terms), &parties.signed(void));
    }

    /// Waits until a payment has ended, and returns what was captured of it; `None` if the verifier does not know it.
    #[track_caller]
    pub(super) fn ended_at(&self, id: Hex32, amount: u64) -> Option<u64> {
        let is_known = self.report(id)["error"]["code"] != "payment_not_found";
        is_known.then(|| self.captured(id, amount))
    }

    /// What `merchant` has, in base units.
    pub(super) fn earned(&self, merchant: &Merchant) -> u64 {
        self.local.chain.tokens(&merchant.key.pubkey(), &self.local.mint).unwrap()
    }

    pub(super) fn parties(&self) -> Parties {
        self.parties.clone()
    }

    /// Kills the verifier, and returns which operations were under way and how far they were.
    pub(super) fn kill_verifier(&mut self) -> Vec<(&'static str, &'static str)> {
        self.verifier.kill();
        // Read in a copy: it is the verifier that must be able to open what a crash leaves.
        let copy = tempfile::tempdir().unwrap();
        for file in ["verifier.sqlite", "verifier.sqlite-wal"] {
            let path = self.local.folder().join(file);
            if path.exists() {
                std::fs::copy(path, copy.path().join(file)).unwrap();
            }
        }
        let under_way = async {
            let database = Database::Sqlite(copy.path().join("verifier.sqlite"));
            let store = Store::open(&database).await.unwrap();
            store.open_operations(Look::All).await.unwrap()
        };
        let operations = Builder::new_current_thread().enable_all().build().unwrap().block_on(under_way);
        operations
            .rows
            .iter()
            .map(|tracked| (tracked.operation.action.kind(), tracked.operation.state.as_str()))
            .collect()
    }

    pub(super) fn restart_verifier(&mut self) {
        self.verifier.restart().unwrap();
    }

    pub(super) fn local(&self) -> &Local {
        &self.local
    }

    /// Waits until the verifier says of a payment's hold that it is not on chain (any more).
    #[track_caller]
    pub(super) fn wait_until_unsettled(&self, id: Hex32) {
        let started = Instant::now();
        while self.report(id)["operations"][0]["status"] != "unsettled" {
            assert!(started.elapsed() < NOTICED_WITHIN, "{:#}", self.report(id));
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until nothing is held, also for payments that nobody was told yes to.
    pub(super) fn wait_until_nothing_is_held(&self) {
        let chain = &self.local.chain;
        let is_free = || Ok(chain.escrow(&self.parties.owner, &self.local.mint)?.held == 0);
        chain.wait_until("nothing to be held", SETTLED_WITHIN, is_free).unwrap();
    }

    /// The verifier reports of the payment what its merchant expects.
    #[track_caller]
    pub(super) fn assert_ended(&self, sale: &Sale) {
        let captured = self.captured(sale.id, sale.amount);
        assert_eq!(captured, sale.captured, "{:?}: {:#}", sale.ending, self.report(sale.id));
    }

    /// The verifier reports that the hold is captured up to the last voucher that was answered, or one that was sent
    /// after it and whose answer was lost. Returns how much that was.
    #[track_caller]
    pub(super) fn assert_captured(&self, streamed: &Streamed) -> u64 {
        // What a kill kept from the verifier until its client opened another hold: nobody said yes, and nothing was held.
        if streamed.answered == 0 && self.report(streamed.id)["error"]["code"] == "payment_not_found" {
            return 0;
        }
        let captured = self.captured(streamed.id, streamed.hold);
        assert!(streamed.may_end_at(captured), "{streamed:?}: {:#}", self.report(streamed.id));
        captured
    }

    /// What was captured of a payment, in base units, once the verifier has seen that it has ended.
    #[track_caller]
    fn captured(&self, id: Hex32, amount: u64) -> u64 {
        let has_ended = || self.verifier.has_ended(&id.to_string());
        let ended = self.local.chain.wait_until("the payment to end", SETTLED_WITHIN, has_ended);
        let payment = self.report(id);
        assert!(ended.is_ok(), "{payment:#}");
        let base_units = |name: &str| payment[name].as_str().unwrap().parse::<u64>().unwrap();
        let captured = base_units("captured");
        assert_eq!(captured + base_units("released"), amount, "{payment:#}");
        captured
    }

    fn report(&self, id: Hex32) -> Value {
        self.verifier.payment(&id.to_string()).unwrap()
    }

    /// The chain says that the merchant has `captured`, others have `elsewhere`, and nothing was lost or made.
    #[track_caller]
    pub(super) fn assert_books(&self, captured: u64, elsewhere: u64) {
        let chain = &self.local.chain;
        let escrow = chain.escrow(&self.parties.owner, &self.local.mint).unwrap();
        let tokens = |owner: &Address| chain.tokens(owner, &self.local.mint).unwrap();
        assert_eq!(
            tokens(&Address::from(self.parties.merchant.verifying_key().to_bytes())),
            captured,
            "the merchant's tokens"
        );
        let balance = Parties::DEPOSIT - captured - elsewhere;
        assert_eq!((escrow.balance, escrow.held), (balance, 0), "balance and held");
        assert_eq!(
            tokens(&address::escrow(&program_id(), &self.parties.owner, &self.local.mint)),
            balance,
            "vault"
        );
        assert_eq!(chain.supply(&self.local.mint).unwrap(), Parties::DEPOSIT, "supply");
    }
}
