//! Plays one conversation: clients, instances that can be killed, and time.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{Request, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    sync::Notify,
};
use tower::ServiceExt;
use x402_escrow_wire::{
    facilitator::SettleResponse,
    payment::{PAYMENT_RESPONSE, PAYMENT_SIGNATURE, PaymentPayload},
    purchase::verdict::is_undecided,
    text::{Base58, decode_header, encode_header},
};

use super::{Dies, Handler, Said, Step, Told, verifier::Verifier};
use crate::{
    CaptureAmount, MerchantConfig, PaymentLayer, Price, ending,
    exchange::{Asked, Exchange},
    fixture::{self, signed, voucher},
    shared::{Shared, lock},
};

/// What a request costs that a hold is for alone, in base units.
const ALONE: u64 = 1000;
/// What one of many costs, and what is held for them.
const PRICE: u64 = 100;
const HOLD: u64 = 1000;
/// For how long a hold can be made, in seconds.
const AUTHORIZE_SECONDS: i64 = 60;

pub(super) struct Player {
    path: &'static str,
    clock: Arc<AtomicI64>,
    verifier: Arc<Mutex<Verifier>>,
    work: Work,
    lives: Vec<Option<Life>>,
    payments: HashMap<String, PaymentPayload>,
    folder: TempDir,
}

/// One life of an instance.
struct Life {
    shared: Arc<Shared>,
    router: Router,
    runtime: Runtime,
}

/// What the handler does next, and that it runs.
#[derive(Clone, Default)]
struct Work {
    next: Arc<Mutex<(Option<u16>, Option<u64>)>>,
    runs: Arc<Notify>,
}

impl Player {
    pub(super) fn new(instances: usize, path: &'static str) -> Self {
        let mut player = Self {
            path,
            clock: Arc::new(AtomicI64::new(1_700_000_000)),
            verifier: Arc::default(),
            work: Work::default(),
            lives: Vec::new(),
            payments: HashMap::new(),
            folder: tempfile::tempdir().unwrap(),
        };
        player.lives.resize_with(instances, || None);
        (1..=instances).for_each(|instance| player.start(instance));
        player
    }

    pub(super) fn expect(&self, place: &str, said: &[(String, Said)]) {
        lock(&self.verifier).expect(place, said);
    }

    pub(super) fn assert_all_was_asked(&self, place: &str) {
        lock(&self.verifier).assert_all_was_asked(place);
    }

    /// Plays a step, and returns what the client is told.
    pub(super) fn play(&mut self, step: &Step) -> Option<Told> {
        if step.restart {
            self.start(step.at);
            self.round(step.at);
        }
        if step.close {
            let life = self.life(step.at);
            life.runtime.block_on(ending::close_streams(&life.shared));
        }
        if let Some(seconds) = step.pass {
            self.clock.fetch_add(seconds, Ordering::SeqCst);
            // What is found out in one round is acted upon in the next at the latest.
            for _ in 0..2 {
                (1..=self.lives.len()).for_each(|instance| self.round(instance));
                self.clock.fetch_add(1, Ordering::SeqCst);
            }
        }
        self.pay(step)
    }

    fn pay(&mut self, step: &Step) -> Option<Told> {
        let mut payment = self.payment(step.pay.as_ref()?);
        if let Some(amount) = step.voucher {
            let id = payment.payload["voucher"]["paymentId"].as_str().unwrap().parse().unwrap();
            payment.payload = json!(voucher(id, amount));
        }
        match step.alter.as_deref() {
            None => {}
            Some("junk") => payment.payload["junk"] = (0..100).fold(json!("junk"), |value, _| json!([value])),
            Some("capture") => {
                payment.payload["capture"] = json!({"amount": "1", "signature": Base58([9; 64])});
            }
            Some("signature") => payment.payload["signature"] = json!(Base58([9; 64])),
            Some(other) => panic!("alter: {other}"),
        }
        let status = match step.handler {
            Handler::Status(status) => Some(status),
            Handler::Nothing(Dies::Dies) => None,
        };
        *lock(&self.work.next) = (status, step.wants);
        let request = Request::get(self.path).header(PAYMENT_SIGNATURE, encode_header(&payment).unwrap());
        let answer = self.send(step.at, request.body(Body::empty()).unwrap());
        if answer.is_none() {
            self.lives[step.at - 1] = None;
        }
        answer.map(|answer| told(&answer))
    }

    /// The payment with a name, for what the first instance asks.
    fn payment(&mut self, name: &str) -> PaymentPayload {
        if let Some(payment) = self.payments.get(name) {
            return payment.clone();
        }
        let question = Request::get(self.path).body(Body::empty()).unwrap();
        let challenge = self.send(1, question).unwrap();
        let nonce = self.payments.len() as u64 + 1;
        let payment =
            signed(challenge.headers(), nonce, self.clock.load(Ordering::SeqCst) + AUTHORIZE_SECONDS);
        self.payments.insert(name.to_owned(), payment.clone());
        payment
    }

    /// The instance's answer; `None` if its handler is to be killed.
    fn send(&self, instance: usize, request: Request<Body>) -> Option<Response> {
        let life = self.life(instance);
        let dies = async {
            loop {
                self.work.runs.notified().await;
                if lock(&self.work.next).0.is_none() {
                    return;
                }
            }
        };
        life.runtime.block_on(async {
            tokio::select! {
                answer = life.router.clone().oneshot(request) => Some(answer.unwrap()),
                () = dies => None,
            }
        })
    }

    fn round(&self, instance: usize) {
        let life = self.life(instance);
        life.runtime.block_on(ending::round(&life.shared));
    }

    fn life(&self, instance: usize) -> &Life {
        self.lives[instance - 1].as_ref().unwrap()
    }

    /// Kills an instance, if it lives, and starts it with what is on disk.
    fn start(&mut self, instance: usize) {
        self.lives[instance - 1] = None;
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let closes_streams = self.lives.len() == 1;
        let config = MerchantConfig { closes_streams, ..fixture::config() };
        let clock = Arc::clone(&self.clock);
        let clock = Arc::new(move || clock.load(Ordering::SeqCst));
        let shared = fixture::merchant(config, &self.record(instance), self.exchange(instance), clock);
        let layer = |price| PaymentLayer::new(Arc::clone(&shared), price);
        let router = Router::new()
            .route("/report", get(handle).layer(layer(Price::new(ALONE).held())))
            .route("/charge", get(handle).layer(layer(Price::new(ALONE))))
            .route("/tick", get(handle).layer(layer(Price::new(PRICE).streamed(HOLD))))
            .with_state(self.work.clone());
        self.lives[instance - 1] = Some(Life { shared, router, runtime });
    }

    fn record(&self, instance: usize) -> PathBuf {
        self.folder.path().join(instance.to_string())
    }

    fn exchange(&self, instance: usize) -> Exchange {
        let verifier = Arc::clone(&self.verifier);
        Arc::new(move |(path, body): Asked| {
            let answer = lock(&verifier).answer(instance, path, &body.unwrap());
            Box::pin(std::future::ready(answer))
        })
    }
}

async fn handle(State(work): State<Work>) -> Response {
    let (status, wants) = *lock(&work.next);
    work.runs.notify_one();
    let Some(status) = status else { return std::future::pending().await };
    let mut response = StatusCode::from_u16(status).unwrap().into_response();
    if let Some(amount) = wants {
        response.extensions_mut().insert(CaptureAmount(amount));
    }
    response
}

/// What a client makes of an answer.
fn told(answer: &Response) -> Told {
    let status = answer.status().as_u16();
    let header = answer.headers().get(PAYMENT_RESPONSE).map(|value| value.to_str().unwrap());
    let reason = header.and_then(|text| decode_header::<SettleResponse>(text).unwrap().error_reason);
    match (status, reason) {
        (502 | 503, _) => Told::Reason("again".to_owned()),
        (402, Some(reason)) if is_undecided(&reason) => Told::Reason("again".to_owned()),
        (402, reason) => Told::Reason(reason.unwrap_or_else(|| "payment required".to_owned())),
        (status, _) => Told::Status(status),
    }
}
