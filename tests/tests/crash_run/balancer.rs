//! A load balancer before the instances of a merchant. It sees what each payment bought; and it is the client that
//! can't be trusted: it sends requests to two instances at once, and again later.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse, Response},
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use reqwest::Client;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
};
use x402_escrow_wire::{
    auth_capture::{Extra, Payload},
    payment::{PAYMENT_SIGNATURE, PaymentPayload},
    text::{Hex32, decode_header},
};

/// The most that a request or an answer has, in bytes.
const MOST: usize = 64 * 1024;

/// A payment, and of a voucher its amount in base units.
pub(super) type Paid = (Hex32, Option<u64>);

/// What became of the requests with one payment or voucher.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// How often it was answered with 2xx.
    pub(super) served: u32,
    /// How often no answer came: the instance may have served.
    pub(super) lost: u32,
}

pub(super) struct Balancer {
    pub(super) url: String,
    inner: Arc<Inner>,
    _runtime: Runtime,
}

struct Inner {
    /// Their URLs.
    instances: Mutex<Vec<String>>,
    http: Client,
    random: Mutex<StdRng>,
    seen: Mutex<BTreeMap<Paid, Seen>>,
    past: Mutex<Vec<Sent>>,
}

/// A request with a payment.
#[derive(Clone)]
struct Sent {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
    paid: Option<Paid>,
}

impl Balancer {
    pub(super) fn open(seed: u64) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            instances: Mutex::default(),
            http: Client::new(),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            seen: Mutex::default(),
            past: Mutex::default(),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { url, inner, _runtime: runtime }
    }

    pub(super) fn balance(&self, instances: impl IntoIterator<Item = String>) {
        *lock(&self.inner.instances) = instances.into_iter().collect();
    }

    /// All that was sent with a payment.
    pub(super) fn seen(&self) -> BTreeMap<Paid, Seen> {
        lock(&self.inner.seen).clone()
    }
}

async fn pass(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let mut headers = parts.headers;
    headers.remove("host");
    let paid = headers.get(PAYMENT_SIGNATURE).map(|header| paid(header.to_str().unwrap()));
    let sent = Sent { method: parts.method, path, headers, body, paid };
    let (first, second) = inner.two();
    if paid.is_none() {
        return inner.send(&first, &sent).await;
    }
    let replayed = inner.remember(&sent);
    if let Some(past) = replayed {
        let (inner, at) = (Arc::clone(&inner), second.clone());
        tokio::spawn(async move { inner.send(&at, &past).await });
    }
    if inner.chance(0.25) {
        // Only one of the two answers reaches the client.
        return tokio::join!(inner.send(&first, &sent), inner.send(&second, &sent)).0;
    }
    inner.send(&first, &sent).await
}

/// What a header pays with.
fn paid(header: &str) -> Paid {
    let payment: PaymentPayload = decode_header(header).unwrap();
    match Payload::read(&payment.payload).unwrap() {
        Payload::Intent(intent) => {
            let extra = Extra::read(&payment.accepted).unwrap();
            let id = Hex32(intent.intent(&payment.accepted, &extra).digest());
            (id, intent.voucher.map(|voucher| voucher.amount.0))
        }
        Payload::Voucher(voucher) => (voucher.payment_id, Some(voucher.amount.0)),
        Payload::Lifecycle(_) => panic!("a client sent what only merchants sign"),
    }
}

impl Inner {
    /// Two instances, in any order.
    fn two(&self) -> (String, String) {
        let instances = lock(&self.instances);
        let random = &mut *lock(&self.random);
        let mut chosen = instances.choose_multiple(random, 2).cloned();
        (chosen.next().unwrap(), chosen.next().unwrap())
    }

    fn chance(&self, chance: f64) -> bool {
        lock(&self.random).random_bool(chance)
    }

    /// Keeps a request. Now and then returns one from before.
    fn remember(&self, sent: &Sent) -> Option<Sent> {
        let replays = self.chance(0.2);
        let past = &mut *lock(&self.past);
        past.push(sent.clone());
        past.choose(&mut *lock(&self.random)).filter(|_| replays).cloned()
    }

    async fn send(&self, instance: &str, sent: &Sent) -> Response {
        let request = self.http.request(sent.method.clone(), format!("{instance}{}", sent.path));
        let request = request.headers(sent.headers.clone()).body(sent.body.clone());
        let answer = match request.send().await {
            Ok(answer) => {
                let (status, headers) = (answer.status(), answer.headers().clone());
                answer.bytes().await.ok().map(|body| (status, headers, body))
            }
            Err(_) => None,
        };
        if let Some(paid) = sent.paid {
            let seen = &mut *lock(&self.seen);
            let seen = seen.entry(paid).or_default();
            match &answer {
                Some((status, ..)) => seen.served += u32::from(status.is_success()),
                None => seen.lost += 1,
            }
        }
        let Some((status, headers, body)) = answer else { return StatusCode::BAD_GATEWAY.into_response() };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

/// What is locked stays whole whatever panics meanwhile.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
