//! A cluster with a verifier, a merchant and a session, and a buyer whose requests the test can alter.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use ed25519_dalek::Signer as _;
use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};
use solana_sdk::signature::{Keypair, Signer};
use x402_escrow_agent::SessionFile;
use x402_escrow_interface::{Address, account::Escrow, address};
use x402_escrow_tests::{
    local::{Agent, Local, Merchant, ONE_TOKEN, Sandbox, Settings, Verifier},
    program_id,
};
use x402_escrow_wire::{
    auth_capture::{Extra, IntentPayload},
    facilitator::SettleResponse,
    payment::{PAYMENT_REQUIRED, PAYMENT_RESPONSE, PAYMENT_SIGNATURE, PaymentPayload},
    text::{Base58, Hex32, decode_header, encode_header},
};

/// One test at a time: two cores have enough to do with one.
pub(super) static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The cluster that all tests share as long as any of them runs or waits; each has a mint and services of its own.
static CLUSTER: Mutex<Weak<Local>> = Mutex::new(Weak::new());

fn cluster() -> Arc<Local> {
    let mut known = CLUSTER.lock().unwrap_or_else(PoisonError::into_inner);
    known.upgrade().unwrap_or_else(|| {
        let started = Arc::new(Local::start(&|_| {}).unwrap());
        *known = Arc::downgrade(&started);
        started
    })
}

/// Waits until no other test runs. The cluster stays as long as it is kept.
pub(super) fn turn() -> (Arc<Local>, MutexGuard<'static, ()>) {
    let cluster = cluster();
    (cluster, ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner))
}

pub(super) const DEPOSIT: u64 = 10 * ONE_TOKEN;

/// Dropped from top to bottom, the cluster after those who use it.
pub(super) struct Shop {
    pub(super) merchant: Merchant,
    pub(super) verifier: Verifier,
    pub(super) agent: Agent,
    pub(super) owner: Agent,
    pub(super) owner_key: Keypair,
    pub(super) session: SessionFile,
    pub(super) local: Local,
    _cluster: Arc<Local>,
    http: Client,
    _turn: MutexGuard<'static, ()>,
}

/// What came back for a request with a payment.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) settlement: Option<SettleResponse>,
}

impl Answer {
    /// The code of the refusal.
    pub(super) fn reason(&self) -> &str {
        self.settlement.as_ref().and_then(|answer| answer.error_reason.as_deref()).unwrap_or("none")
    }
}

impl Shop {
    /// Opens an escrow with [`DEPOSIT`], and a session with limits of 0.3 a payment and 1 an hour.
    pub(super) fn open() -> Self {
        Self::open_with(&[], &[])
    }

    /// The same with more of the verifier's settings, as environment variables, and more of the merchant's arguments.
    pub(super) fn open_with(settings: &[(&'static str, &str)], merchant: &[&str]) -> Self {
        let (cluster, turn) = turn();
        let limits = ["--max-payment", "0.3", "--max-total", "5", "--max-per-period", "1", "--period", "1h"];
        let all = Settings {
            owned: DEPOSIT,
            deposit: "10",
            limits: &limits,
            verifier: settings,
            merchant,
            ..Settings::default()
        };
        let sandbox = Sandbox::on(cluster.beside().unwrap(), &all, &|_| {}).unwrap();
        let Sandbox { merchant, verifier, owner, owner_key, session_file: path, local, .. } = sandbox;
        let session = SessionFile::read(&path).unwrap();
        let agent = Agent::with_session(&local, &path);
        let http = Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
        Self {
            merchant,
            verifier,
            agent,
            owner,
            owner_key,
            session,
            local,
            _cluster: cluster,
            http,
            _turn: turn,
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.merchant.url)
    }

    /// Asks for `path` without paying, and has the verifier draft and the session key sign a payment for it.
    pub(super) fn payment(&self, path: &str) -> PaymentPayload {
        let response = self.http.get(self.url(path)).send().unwrap();
        assert_eq!(response.status(), 402);
        let challenge: Value = header(&response, PAYMENT_REQUIRED).unwrap();
        let body = json!({
            "paymentRequired": challenge,
            "session": {"escrow": self.session.escrow, "sessionKey": self.session.session_key},
            "request": {"method": "GET", "url": self.url(path)},
        });
        let answer: Value = self
            .http
            .post(format!("{}/intents", self.verifier.url))
            .json(&body)
            .send()
            .unwrap()
            .json()
            .unwrap();
        let mut payment: PaymentPayload = serde_json::from_value(answer["unsigned"].clone()).unwrap();
        self.sign(&mut payment);
        payment
    }

    /// Signs whatever the payment says now.
    pub(super) fn sign(&self, payment: &mut PaymentPayload) {
        payment.payload["signature"] = Value::Null;
        let payload: IntentPayload = serde_json::from_value(payment.payload.clone()).unwrap();
        let intent = payload.intent(&payment.accepted, &Extra::read(&payment.accepted).unwrap());
        let signature = self.session.signing_key().sign(&intent.signed_bytes());
        payment.payload["signature"] = json!(Base58(signature.to_bytes()));
    }

    /// Sends the request for `path` with a payment.
    pub(super) fn send(&self, path: &str, payment: &PaymentPayload) -> Answer {
        self.try_send(path, payment).unwrap()
    }

    /// Sends the request for `path` with a payment to a merchant that may be killed meanwhile.
    pub(super) fn try_send(&self, path: &str, payment: &PaymentPayload) -> reqwest::Result<Answer> {
        let header_value = encode_header(payment).unwrap();
        let response = self.http.get(self.url(path)).header(PAYMENT_SIGNATURE, header_value).send()?;
        Ok(Answer { status: response.status().as_u16(), settlement: header(&response, PAYMENT_RESPONSE) })
    }

    /// The state of a payment in the merchant's record, as `docs/purchases.md` has it.
    pub(super) fn recorded(&self, id: &str) -> Option<String> {
        let file = self.local.folder().join("merchant.state/purchases.jsonl");
        let text = std::fs::read_to_string(file).unwrap();
        // The last line may be halfway to the disk.
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let states = lines.filter(|line| line["hold"] == id);
        states.filter_map(|line| line["state"].as_str().map(str::to_owned)).next_back()
    }

    /// Waits until the handler for a payment runs: from then on a crash of the merchant has it released.
    pub(super) fn wait_until_served(&self, payment: &PaymentPayload) {
        let id = payment_id(payment);
        let noted = || Ok(self.recorded(&id).is_some());
        self.local.chain.wait_until("the handler to run", Duration::from_secs(30), noted).unwrap();
    }

    pub(super) fn escrow(&self) -> Escrow {
        self.local.chain.escrow(&self.owner_key.pubkey(), &self.local.mint).unwrap()
    }

    /// What the merchant was paid so far.
    pub(super) fn earned(&self) -> u64 {
        self.tokens(&self.merchant.key.pubkey())
    }

    /// Waits until `receiver` has `earned`: a charge may be answered in a block that is not confirmed yet.
    pub(super) fn wait_until_earned(&self, receiver: &Address, earned: u64) {
        let has_earned = || Ok(self.tokens(receiver) >= earned);
        self.wait_until(&format!("{earned} base units to be earned"), has_earned);
    }

    /// Fails unless the merchant has `earned`, `held` is held, and nothing was lost or made.
    #[track_caller]
    pub(super) fn assert_books(&self, earned: u64, held: u64) {
        self.wait_until_earned(&self.merchant.key.pubkey(), earned);
        let escrow = self.escrow();
        let vault = self.tokens(&address::escrow(&program_id(), &self.owner_key.pubkey(), &self.local.mint));
        assert_eq!(self.earned(), earned, "earned");
        assert_eq!((escrow.balance, escrow.held), (DEPOSIT - earned, held), "balance and held");
        assert_eq!(vault, escrow.balance, "vault");
        assert_eq!(self.local.chain.supply(&self.local.mint).unwrap(), DEPOSIT, "supply");
    }

    /// Waits until nothing is held any more.
    pub(super) fn wait_until_nothing_is_held(&self) {
        self.wait_until_held(0);
    }

    /// Waits until `held` is held in a confirmed block: for a small payment a verifier says so before.
    pub(super) fn wait_until_held(&self, held: u64) {
        let is_held = || Ok(self.escrow().held == held);
        self.wait_until(&format!("{held} base units to be held"), is_held);
    }

    /// Waits until what the agent printed about as `fetched` is captured or given back.
    pub(super) fn wait_until_ended(&self, fetched: &Value) {
        let id = fetched["payment"]["paymentId"].as_str().unwrap();
        self.wait_until("a payment to end", || self.verifier.has_ended(id));
    }

    fn wait_until(&self, what: &str, holds: impl Fn() -> anyhow::Result<bool>) {
        self.local.chain.wait_until(what, Duration::from_secs(60), holds).unwrap();
    }

    fn tokens(&self, owner: &Address) -> u64 {
        self.local.chain.tokens(owner, &self.local.mint).unwrap()
    }
}

/// The payment's id: the digest of its intent.
pub(super) fn payment_id(payment: &PaymentPayload) -> String {
    let payload: IntentPayload = serde_json::from_value(payment.payload.clone()).unwrap();
    let intent = payload.intent(&payment.accepted, &Extra::read(&payment.accepted).unwrap());
    Hex32(intent.digest()).to_string()
}

fn header<T: serde::de::DeserializeOwned>(response: &Response, name: &str) -> Option<T> {
    let text = response.headers().get(name)?.to_str().ok()?;
    Some(decode_header(text).unwrap())
}
