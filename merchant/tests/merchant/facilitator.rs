//! A facilitator whose answers the test controls. It keeps its own books of what it was asked, and
//! refuses captures and releases that the merchant did not sign.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle};
use x402_escrow_wire::{
    auth_capture::{Extra, LifecyclePayload, Payload, VoucherPayload},
    claim::Claim,
    facilitator::FacilitatorRequest,
    text::{Base58, Hex32, Key},
};

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
    authorizations_asked: usize,
    /// What it was asked to settle: payloads and extensions.
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
    /// How long a capture or release takes.
    ends_take: Mutex<Duration>,
    names_program: AtomicBool,
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
            ends_take: Mutex::default(),
            names_program: AtomicBool::new(true),
        });
        let router = Router::new()
            .route("/supported", get(supported))
            .route("/settle", post(settle))
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

    /// Takes so long from now on for each capture and release.
    pub(crate) fn take_for_ends(&self, duration: Duration) {
        *self.inner.ends_take.lock().unwrap() = duration;
    }

    /// Keeps payments waiting until [`Self::open_gate`].
    pub(crate) fn close_gate(&self) {
        self.inner.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn open_gate(&self) {
        self.inner.gate.add_permits(1000);
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

    /// What was captured of each payment that ended, in base units.
    pub(crate) fn captured(&self) -> Vec<u64> {
        let amount = |(_, end): &(Hex32, LifecyclePayload)| match end {
            LifecyclePayload::Capture { amount, .. } | LifecyclePayload::Close { amount, .. } => amount.0,
            LifecyclePayload::Void { .. } => 0,
        };
        self.ended().iter().map(amount).collect()
    }
}

async fn supported(State(inner): State<Arc<Inner>>) -> Json<Value> {
    let fee_payer = inner.books.lock().unwrap().fee_payer.unwrap_or(FEE_PAYER);
    let program = inner.names_program.load(Ordering::SeqCst).then_some(PROGRAM);
    Json(json!({
        "kinds": [
            {"x402Version": 2, "scheme": "exact", "network": NETWORK},
            {"x402Version": 2, "scheme": "auth-capture", "network": NETWORK,
             "extra": {"program": program, "feePayer": fee_payer, "paymentFlow": "escrow",
                 "tokens": {MINT.to_string(): {"decimals": 6}}}},
        ],
        "extensions": [],
        "signers": {},
    }))
}

async fn settle(State(inner): State<Arc<Inner>>, Json(request): Json<FacilitatorRequest>) -> Response {
    assert_eq!(request.payment_payload.accepted, request.payment_requirements);
    let extra = Extra::read(&request.payment_requirements).unwrap();
    let asked = json!([request.payment_payload.payload, request.payment_payload.extensions]);
    inner.books.lock().unwrap().asked.push(asked);
    match Payload::read(&request.payment_payload.payload).unwrap() {
        Payload::Intent(payload) => {
            {
                let mut books = inner.books.lock().unwrap();
                books.authorizations_asked += 1;
                books.receiver_proofs.push(payload.receiver_proof.clone());
            }
            let _permit = inner.gate.acquire().await.unwrap();
            let id = Hex32(payload.intent(&request.payment_requirements, &extra).digest());
            inner.authorize(id, payload.voucher.map(|first| first.amount.0), &request)
        }
        Payload::Voucher(voucher) => inner.voucher(&voucher, &extra, request.claim),
        Payload::Lifecycle(payload) => {
            assert_eq!(request.claim, None, "claims are for what clients send");
            let takes = *inner.ends_take.lock().unwrap();
            tokio::time::sleep(takes).await;
            // The merchant is both authorizers, or of a streamed hold the receiver authorizer.
            let signer = VerifyingKey::from_bytes(&extra.receiver_authorizer.0).unwrap();
            let (LifecyclePayload::Capture { signature: by, .. }
            | LifecyclePayload::Close { signature: by, .. }
            | LifecyclePayload::Void { signature: by, .. }) = &payload;
            if signer.verify_strict(&payload.signed_bytes(), &Signature::from_bytes(&by.0)).is_err() {
                return refused("invalid_auth_capture_svm_authorizer_signature");
            }
            inner.end(&payload, &request)
        }
    }
}

impl Inner {
    fn voucher(&self, voucher: &VoucherPayload, extra: &Extra, claim: Option<Claim>) -> Response {
        assert!(claim.is_some());
        let answer = self.answers.lock().unwrap()[0];
        match answer {
            Answer::No(code) => return refused(code),
            Answer::Lost => return StatusCode::BAD_GATEWAY.into_response(),
            _ => {}
        }
        let books = &mut *self.books.lock().unwrap();
        let (id, amount) = (voucher.payment_id, voucher.amount.0);
        let Some(last) = books.vouchers.get_mut(&id) else {
            return refused("invalid_auth_capture_svm_payment_not_found");
        };
        if let Some((first, added)) = books.claims.get(&(id, Some(amount))) {
            if let Answer::Broken(status) = answer {
                return status.into_response();
            }
            return match *first == claim && books.payments[&id] == "authorized" {
                true => answered(answer, id, "authorized", true, *added),
                false => refused("invalid_auth_capture_svm_voucher_repeated"),
            };
        }
        if amount < *last + extra.request_price.unwrap().0 {
            return refused("invalid_auth_capture_svm_voucher_below_price");
        }
        let increment = amount - std::mem::replace(last, amount);
        books.claims.insert((id, Some(amount)), (claim, increment));
        answered(answer, id, "authorized", false, increment)
    }

    fn authorize(&self, id: Hex32, first: Option<u64>, request: &FacilitatorRequest) -> Response {
        assert!(request.claim.is_some());
        let answer = self.answers.lock().unwrap()[0];
        match answer {
            Answer::No(code) => return refused(code),
            Answer::Lost => return StatusCode::BAD_GATEWAY.into_response(),
            _ => {}
        }
        let books = &mut *self.books.lock().unwrap();
        let (claim, _) = *books.claims.entry((id, None)).or_insert((request.claim, 0));
        let repeated = books.payments.contains_key(&id);
        let state = *books.payments.entry(id).or_insert("authorized");
        if let Some(first) = first {
            books.claims.entry((id, Some(first))).or_insert((request.claim, first));
            books.vouchers.entry(id).or_insert(first);
        }
        if repeated && (claim != request.claim || state != "authorized") {
            return refused("duplicate_settlement");
        }
        answered(answer, id, state, repeated, request.payment_requirements.amount.0)
    }

    fn end(&self, payload: &LifecyclePayload, request: &FacilitatorRequest) -> Response {
        let answer = self.answers.lock().unwrap()[1];
        if let Answer::No(code) = answer {
            return refused(code);
        }
        let id = payload.payment_id();
        let mut books = self.books.lock().unwrap();
        match books.payments.get(&id) {
            None => return refused("invalid_auth_capture_svm_payment_not_found"),
            Some(&"ended") => {}
            Some(_) => {
                books.payments.insert(id, "ended");
                books.ended.push((id, payload.clone()));
            }
        }
        let amount = match payload {
            LifecyclePayload::Capture { amount, .. } | LifecyclePayload::Close { amount, .. } => amount.0,
            LifecyclePayload::Void { .. } => 0,
        };
        assert!(amount <= request.payment_requirements.amount.0, "more is captured than was held");
        answered(answer, id, "ended", false, amount)
    }
}

fn answered(answer: Answer, id: Hex32, state: &str, repeated: bool, amount: u64) -> Response {
    let (success, status) = match answer {
        Answer::Yes { status } => (true, status),
        Answer::Broken(status) => return (status, "broken").into_response(),
        Answer::Endless => return " ".repeat(2 * 1024 * 1024).into_response(),
        _ => (false, "unsettled"),
    };
    let reason = (!success).then_some("settlement_pending");
    Json(json!({
        "success": success, "errorReason": reason, "transaction": "sig", "network": NETWORK, "amount": amount.to_string(),
        "extra": {"paymentId": id, "state": state, "status": status, "alreadySettled": repeated, "claimed": repeated},
    }))
    .into_response()
}

fn refused(code: &str) -> Response {
    let answer = json!({"success": false, "errorReason": code, "errorMessage": "because the test says so",
        "transaction": "", "network": NETWORK});
    Json(answer).into_response()
}
