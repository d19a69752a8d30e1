//! A facilitator whose answers the test controls. It keeps its own books of what it was asked, and
//! refuses captures and releases that the merchant did not sign.

mod answering;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle};
use x402_escrow_wire::{
    auth_capture::LifecyclePayload,
    claim::Claim,
    text::{Base58, Hex32, Key},
};

use answering::{receiver, settle, supported, verify};

pub(crate) const NETWORK: &str = "solana:test";
/// The escrow program that it settles with.
pub(crate) const PROGRAM: Key = Base58([13; 32]);
/// The token that it knows.
pub(crate) const MINT: Key = Base58([2; 32]);
const FEE_PAYER: Key = Base58([14; 32]);

/// How it answers what it is asked to settle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    /// As it should; holds are as final as the status says.
    Yes { status: &'static str },
    /// A verdict of "no" with this code.
    No(&'static str),
    /// It does what it is asked, and says that it can't tell yet.
    Pending,
    /// It does what it is asked, and answers with this HTTP status.
    Broken(StatusCode),
    /// It does nothing, and gives no verdict.
    Lost,
    /// It does what it is asked, and answers with more than anybody should read.
    Endless,
}

pub(crate) const YES: Answer = Answer::Yes { status: "confirmed" };

#[derive(Default)]
struct Books {
    /// State of each payment.
    payments: HashMap<Hex32, &'static str>,
    /// Every capture and release that was taken, with what was captured.
    ended: Vec<(Hex32, LifecyclePayload)>,
    /// What was charged of each payment, in base units.
    charged: Vec<u64>,
    /// How often it was asked whether it would settle something.
    verified: usize,
    authorizations_asked: usize,
    /// Captures and releases that wait for a permit.
    ends_waiting: usize,
    /// What it was asked to settle: payloads, extensions and resources.
    asked: Vec<Value>,
    /// The receiver proofs of the intents.
    receiver_proofs: Vec<Vec<Hex32>>,
    /// The last voucher's amount of each streamed hold.
    vouchers: HashMap<Hex32, u64>,
    /// Who was told yes first, of each payment and of each voucher, and what it added.
    claims: HashMap<(Hex32, Option<u64>), (Option<Claim>, u64)>,
    /// Where it settles fees from; a test can change it.
    fee_payer: Option<Key>,
}

struct Inner {
    books: Mutex<Books>,
    /// To payments, and to captures and releases.
    answers: Mutex<[Answer; 2]>,
    /// Payments wait for a permit while the test holds them.
    gate: Semaphore,
    /// The same of captures and releases.
    ends_gate: Semaphore,
    names_program: AtomicBool,
    /// What it says of a receiver, if anything.
    receiver: Mutex<Option<(StatusCode, Value)>>,
}

#[derive(Clone)]
pub(crate) struct Facilitator {
    pub(crate) url: String,
    inner: Arc<Inner>,
    server: Arc<JoinHandle<()>>,
}

impl Facilitator {
    pub(crate) async fn start() -> Self {
        let inner = Arc::new(Inner {
            books: Mutex::default(),
            answers: Mutex::new([YES, YES]),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            ends_gate: Semaphore::new(Semaphore::MAX_PERMITS),
            names_program: AtomicBool::new(true),
            receiver: Mutex::default(),
        });
        let router = Router::new()
            .route("/supported", get(supported))
            .route("/settle", post(settle))
            .route("/verify", post(verify))
            .route("/receivers/{receiver}/{asset}", get(receiver))
            .with_state(Arc::clone(&inner));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inner, server: Arc::new(server) }
    }

    /// Answers payments from now on like this.
    pub(crate) fn answer_payments(&self, answer: Answer) {
        self.inner.answers.lock().unwrap()[0] = answer;
    }

    /// Answers captures and releases from now on like this.
    pub(crate) fn answer_ends(&self, answer: Answer) {
        self.inner.answers.lock().unwrap()[1] = answer;
    }

    /// Keeps captures and releases waiting until [`Self::open_ends_gate`].
    pub(crate) fn close_ends_gate(&self) {
        self.inner.ends_gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn open_ends_gate(&self) {
        self.inner.ends_gate.add_permits(1000);
    }

    /// How many captures and releases wait.
    pub(crate) fn ends_waiting(&self) -> usize {
        self.inner.books.lock().unwrap().ends_waiting
    }

    /// Keeps payments waiting until [`Self::open_gate`].
    pub(crate) fn close_gate(&self) {
        self.inner.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn open_gate(&self) {
        self.inner.gate.add_permits(1000);
    }

    /// Says from now on of receivers.
    pub(crate) fn say_of_receivers(&self, status: StatusCode, body: Value) {
        *self.inner.receiver.lock().unwrap() = Some((status, body));
    }

    /// Stops listening; whoever asks is refused the connection.
    pub(crate) fn stop(&self) {
        self.server.abort();
    }

    /// Pays fees from now on with another key.
    pub(crate) fn rotate_fee_payer(&self, key: Key) {
        self.inner.books.lock().unwrap().fee_payer = Some(key);
    }

    /// Says from now on no more which program it settles with.
    pub(crate) fn name_no_program(&self) {
        self.inner.names_program.store(false, Ordering::SeqCst);
    }

    pub(crate) fn asked(&self) -> Vec<Value> {
        self.inner.books.lock().unwrap().asked.clone()
    }

    pub(crate) fn receiver_proofs(&self) -> Vec<Vec<Hex32>> {
        self.inner.books.lock().unwrap().receiver_proofs.clone()
    }

    pub(crate) fn authorizations_asked(&self) -> usize {
        self.inner.books.lock().unwrap().authorizations_asked
    }

    /// Captures and releases that were taken.
    pub(crate) fn ended(&self) -> Vec<(Hex32, LifecyclePayload)> {
        self.inner.books.lock().unwrap().ended.clone()
    }

    pub(crate) fn verified(&self) -> usize {
        self.inner.books.lock().unwrap().verified
    }

    /// What was charged of each payment, in base units.
    pub(crate) fn charged(&self) -> Vec<u64> {
        self.inner.books.lock().unwrap().charged.clone()
    }

    /// What was captured of each payment that ended, in base units.
    pub(crate) fn captured(&self) -> Vec<u64> {
        let amount = |(_, end): &(Hex32, LifecyclePayload)| match end {
            LifecyclePayload::Capture { amount, .. } | LifecyclePayload::Close { amount, .. } => amount.0,
            LifecyclePayload::Void { .. } => 0,
        };
        self.ended().iter().map(amount).collect()
    }
}
