//! A server with a price and a verifier, in one process of axum. What they answer can be altered.

mod server;
mod world;

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    http::StatusCode,
    routing::{any, get, post},
};
use ed25519_dalek::SigningKey;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::Notify};
use x402_escrow_agent::{
    AgentClient, Fetched, Limits, Outcome, Request, SessionFile, StateFiles, nonces::NoncesFile,
    spending::SpendingFile,
};
use x402_escrow_interface::deployment::LOCAL_PROGRAM_ID;
pub(crate) use x402_escrow_wire::clock::unix_now;
use x402_escrow_wire::{payment::PaymentPayload, text::Base58};

use server::{draft, known, sell};
pub(crate) use world::World;

pub(crate) const PRICE: u64 = 1000;
const NETWORK: &str = "solana:test";

/// Changes an answer on its way out.
type Alter = Box<dyn Fn(&mut Value) + Send>;

pub(crate) struct Peers {
    pub(crate) url: String,
    pub(crate) session: SessionFile,
    inner: Arc<Inner>,
    folder: TempDir,
}

struct Inner {
    url: String,
    session_key: Base58<32>,
    alter_challenge: Mutex<Alter>,
    alter_draft: Mutex<Alter>,
    /// What a request with a payment is answered, where nothing is next.
    paid: Mutex<Paid>,
    /// What the next requests with a payment are answered, in this order.
    next: Mutex<VecDeque<Paid>>,
    /// The verifier's answer about every payment; `None` if it knows none.
    known: Mutex<Option<Value>>,
    /// Decides instead of the three above, if it is there.
    world: Mutex<Option<World>>,
    /// Every signature that left the agent was for one of these.
    payments: Mutex<Vec<PaymentPayload>>,
    /// What vouchers were signed for, the first of a hold included, in base units.
    vouchers: Mutex<Vec<u64>>,
    /// Bodies of `POST /intents`.
    asked: Mutex<Vec<Value>>,
    /// What the verifier says is used: all nonces up to this one.
    used_up_to: AtomicU64,
    /// Lets an answer go that waits for the test.
    answers: Notify,
}

/// What the server does with a payment.
#[derive(Clone, Copy)]
pub(crate) enum Paid {
    Serve,
    Refuse,
    /// It says "no" for this reason.
    Say(&'static str),
    /// The same, once the test lets it.
    SayWhenLet(&'static str),
    /// What a proxy answers for it.
    Status(u16),
    /// It serves after this time.
    ServeLate(Duration),
    /// It serves once the test lets it.
    ServeWhenLet,
    /// It serves more than an agent reads.
    ServeMuch,
    HangUp,
    /// It serves, and the first answer gets lost.
    LoseAnswer,
    Redirect,
}

/// Reasons for a "no".
pub(crate) const DUPLICATE: &str = "duplicate_settlement";
pub(crate) const REPEATED: &str = "invalid_auth_capture_svm_voucher_repeated";
pub(crate) const CLOSED: &str = "invalid_auth_capture_svm_voucher_hold_closed";
pub(crate) const NOT_FOUND: &str = "invalid_auth_capture_svm_payment_not_found";
pub(crate) const NOT_FINAL: &str = "invalid_auth_capture_svm_voucher_hold_not_final";

impl Peers {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = SigningKey::from_bytes(&[42; 32]);
        let session = SessionFile {
            network: NETWORK.into(),
            program: LOCAL_PROGRAM_ID.into(),
            escrow: Base58([1; 32]),
            mint: Base58([2; 32]),
            decimals: 6,
            session_key: Base58(key.verifying_key().to_bytes()),
            incarnation: Base58([3; 32]),
            expires_at: 4_000_000_000,
            verifier: url.clone(),
            receivers: Vec::new(),
            secret_key: Base58(key.to_bytes()),
        };
        let inner = Arc::new(Inner {
            url: url.clone(),
            session_key: session.session_key,
            alter_challenge: Mutex::new(Box::new(|_| {})),
            alter_draft: Mutex::new(Box::new(|_| {})),
            paid: Mutex::new(Paid::Serve),
            next: Mutex::default(),
            known: Mutex::default(),
            world: Mutex::default(),
            payments: Mutex::default(),
            vouchers: Mutex::default(),
            asked: Mutex::default(),
            used_up_to: AtomicU64::new(0),
            answers: Notify::new(),
        });
        let router = Router::new()
            .route("/intents", post(draft))
            .route("/payments/{id}", get(known))
            .route("/free", any(async || "free"))
            .route("/missing", any(async || StatusCode::NOT_FOUND))
            .fallback(sell)
            .with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, session, inner, folder: tempfile::tempdir().unwrap() }
    }

    /// An agent without a count, that pays up to `maximum_amount` for a request.
    pub(crate) fn agent(&self, maximum_amount: u64) -> AgentClient {
        self.agent_of(self.session.clone(), maximum_amount)
    }

    /// An agent with another session.
    pub(crate) fn agent_of(&self, session: SessionFile, maximum_amount: u64) -> AgentClient {
        let limits = Limits { maximum_amount, spending_limit: None, maximum_locked: None };
        AgentClient::new(session, limits, self.files()).unwrap()
    }

    /// An agent that counts what it signs for.
    pub(crate) fn counting_agent(&self, spending_limit: u64) -> AgentClient {
        let limits =
            Limits { maximum_amount: PRICE, spending_limit: Some(spending_limit), maximum_locked: None };
        AgentClient::new(self.session.clone(), limits, self.files()).unwrap()
    }

    /// An agent with the same files, that streams from a server whose verifier is `other`.
    pub(crate) fn agent_at(&self, other: &Self) -> AgentClient {
        self.agent_of(other.session.clone(), PRICE).streaming(10 * PRICE)
    }

    /// What all agents of these peers share.
    pub(crate) fn files(&self) -> StateFiles {
        StateFiles::beside(&self.session_path())
    }

    pub(crate) fn nonces(&self) -> NoncesFile {
        self.files().nonces
    }

    pub(crate) fn nonces_path(&self) -> PathBuf {
        self.folder.path().join("session.json.nonces")
    }

    pub(crate) fn spending(&self) -> SpendingFile {
        self.files().spending
    }

    /// Alters the server's challenges from now on.
    pub(crate) fn alter_challenge(&self, alter: impl Fn(&mut Value) + Send + 'static) {
        *self.inner.alter_challenge.lock().unwrap() = Box::new(alter);
    }

    /// Alters the verifier's drafts from now on.
    pub(crate) fn alter_draft(&self, alter: impl Fn(&mut Value) + Send + 'static) {
        *self.inner.alter_draft.lock().unwrap() = Box::new(alter);
    }

    pub(crate) fn when_paid(&self, paid: Paid) {
        *self.inner.paid.lock().unwrap() = paid;
    }

    /// The next requests with a payment are answered so, in this order; those after them as before.
    pub(crate) fn answer_next(&self, paid: impl IntoIterator<Item = Paid>) {
        self.inner.next.lock().unwrap().extend(paid);
    }

    /// Lets one answer go that is held back.
    pub(crate) fn let_answer(&self) {
        self.inner.answers.notify_one();
    }

    /// Waits until so many payments left the agent.
    pub(crate) async fn wait_for_payments(&self, count: usize) {
        while self.inner.payments.lock().unwrap().len() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What the verifier says of every payment from now on.
    pub(crate) fn know(&self, report: Option<Value>) {
        *self.inner.known.lock().unwrap() = report;
    }

    /// The world decides from now on.
    pub(crate) fn live_in(&self, world: World) {
        *self.inner.world.lock().unwrap() = Some(world);
    }

    /// What became of the world.
    pub(crate) fn with_world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(self.inner.world.lock().unwrap().as_mut().unwrap())
    }

    /// Where the agents' session file would be.
    pub(crate) fn session_path(&self) -> PathBuf {
        self.folder.path().join("session.json")
    }

    /// Everything that left the agent with a signature.
    pub(crate) fn payments(&self) -> Vec<PaymentPayload> {
        self.inner.payments.lock().unwrap().clone()
    }

    /// What vouchers were signed for.
    pub(crate) fn vouchers(&self) -> Vec<u64> {
        self.inner.vouchers.lock().unwrap().clone()
    }

    /// The verifier says from now on that all nonces up to this one are used.
    pub(crate) fn refuse_nonces_up_to(&self, used_up_to: u64) {
        self.inner.used_up_to.store(used_up_to, Ordering::SeqCst);
    }

    /// The nonces of the payments that left the agent with an intent.
    pub(crate) fn nonces_paid(&self) -> Vec<u64> {
        let payments = self.payments();
        payments.iter().filter_map(|payment| payment.payload["nonce"].as_str()?.parse().ok()).collect()
    }

    /// What the verifier was asked.
    pub(crate) fn asked(&self) -> Vec<Value> {
        self.inner.asked.lock().unwrap().clone()
    }
}

/// What the caller of a fetch is told, in short.
pub(crate) async fn told(peers: &Peers, agent: &AgentClient, path: &str) -> String {
    told_of(agent, &Request::get(&format!("{}{path}", peers.url))).await
}

/// The same of any request.
pub(crate) async fn told_of(agent: &AgentClient, request: &Request) -> String {
    match agent.fetch(request).await {
        Ok(outcome) => in_short(&outcome),
        Err(error) => format!("error {}", error.code()),
    }
}

pub(crate) fn in_short(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Served(_) => "served".into(),
        Outcome::Refused { response, .. } => {
            format!("refused {} {}", response.status, outcome.reason().unwrap_or("without a reason"))
        }
        Outcome::Unknown { .. } => "unknown".into(),
    }
}

/// What the server answered, when it served.
pub(crate) async fn served(agent: &AgentClient, request: &Request) -> Fetched {
    match agent.fetch(request).await.unwrap() {
        Outcome::Served(fetched) => fetched,
        other => panic!("{other:?}"),
    }
}
