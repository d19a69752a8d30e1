//! A shop behind the layer.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use ed25519_dalek::SigningKey;
use tempfile::TempDir;
use tokio::sync::Notify;
use x402_escrow_merchant::{CaptureAmount, Merchant, MerchantConfig, Price};
use x402_escrow_wire::{
    auth_capture::Commitment,
    payment_identifier::Offer,
    text::{Base58, Key},
};

use crate::facilitator::{Facilitator, MINT};

/// Where clients reach it.
pub(crate) const PUBLIC_URL: &str = "https://shop.test";
/// What everything costs, in base units.
pub(crate) const PRICE: u64 = 1000;
/// What is held for a stream, in base units.
pub(crate) const HOLD: u64 = 10 * PRICE;
/// How long until a stream that nobody uses is closed: longer than any test takes, and soon.
const IDLE_SECONDS: u64 = 3600;
const SOON_IDLE_SECONDS: u64 = 1;
/// A busy machine may need long for what an idle one does at once.
const PATIENCE: Duration = Duration::from_secs(90);
/// Where the merchant keeps its record.
const STATE: &str = "state";
/// The file in it.
pub(crate) const RECORD: &str = "state/purchases.jsonl";
/// A public test key.
const MERCHANT_SEED: [u8; 32] = [7; 32];

/// What handlers did and wait for.
#[derive(Clone, Default)]
pub(crate) struct Work {
    runs: Arc<AtomicUsize>,
    /// Wakes the handlers that wait.
    pub(crate) go_on: Arc<Notify>,
    /// Whether the handlers that can fail do, if they start now.
    fails: Arc<AtomicBool>,
}

impl Work {
    pub(crate) fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    /// Waits until handlers ran so many times.
    pub(crate) async fn wait_for_runs(&self, runs: usize) {
        while self.runs() < runs {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub(crate) struct Shop {
    pub(crate) facilitator: Facilitator,
    pub(crate) router: Router,
    pub(crate) work: Work,
    pub(crate) folder: TempDir,
    pub(crate) idle_seconds: u64,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let facilitator = Facilitator::start().await;
        let folder = tempfile::tempdir().unwrap();
        let work = Work::default();
        let merchant = Merchant::connect(config(&facilitator, &folder, IDLE_SECONDS)).await.unwrap();
        let router = router(&merchant, work.clone());
        Self { router, facilitator, work, folder, idle_seconds: IDLE_SECONDS }
    }

    /// Another merchant takes over with the same key and what was on disk at this moment, as after
    /// a crash.
    pub(crate) async fn restart(&mut self) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(STATE)).unwrap();
        fs::copy(self.file(RECORD), folder.path().join(RECORD)).unwrap();
        self.folder = folder;
        let merchant = Merchant::connect(self.config()).await.unwrap();
        self.router = router(&merchant, self.work.clone());
    }

    /// Streams that nobody uses are closed soon, from now on.
    pub(crate) async fn close_idle_streams(&mut self) {
        self.idle_seconds = SOON_IDLE_SECONDS;
        self.restart().await;
    }

    /// A file beside the merchant's.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn config(&self) -> MerchantConfig {
        config(&self.facilitator, &self.folder, self.idle_seconds)
    }

    pub(crate) fn key() -> Key {
        Base58(SigningKey::from_bytes(&MERCHANT_SEED).verifying_key().to_bytes())
    }

    /// Waits until so many payments ended, and says what was captured of each.
    pub(crate) async fn captured(&self, count: usize) -> Vec<u64> {
        self.until("payments end", || self.facilitator.captured().len() >= count).await;
        self.facilitator.captured()
    }

    /// Waits for what the merchant does by itself.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let started = Instant::now();
        while !holds() {
            assert!(started.elapsed() < PATIENCE, "still waiting after {} s: {what}", PATIENCE.as_secs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn config(facilitator: &Facilitator, folder: &TempDir, stream_idle_seconds: u64) -> MerchantConfig {
    let key = SigningKey::from_bytes(&MERCHANT_SEED);
    let state = folder.path().join(STATE);
    let config = MerchantConfig::new(facilitator.url.clone(), PUBLIC_URL.into(), MINT, key, state);
    MerchantConfig { stream_idle_seconds, ..config }
}

pub(crate) fn router(merchant: &Merchant, work: Work) -> Router {
    // Most tests here are about holds. A price that says nothing of it is charged: `charge`.
    let held = || Price::new(PRICE).held();
    let charged = || merchant.price(Price::new(PRICE));
    let price = || merchant.price(held().describe("a test"));
    let streamed = || merchant.price(Price::new(PRICE).streamed(HOLD).refundable(600));
    let named = || merchant.price(held().identified(Offer::Optional));
    let streamed_named = || merchant.price(Price::new(PRICE).streamed(HOLD).identified(Offer::Optional));
    let nested = Router::new().route("/b", get(plain).layer(price()));
    Router::new()
        .route("/plain", any(plain).layer(price()))
        .route("/other", get(plain).layer(price()))
        .route("/public", get(async || cached("public, max-age=60")).layer(price()))
        .route("/secret", get(async || cached("no-store")).layer(price()))
        .route("/part", get(async || part(300)).layer(price()))
        .route("/nothing", get(async || part(0)).layer(price()))
        .route("/more", get(async || part(PRICE + 1)).layer(price()))
        .route("/missing", get(async || StatusCode::NOT_FOUND).layer(price()))
        .route("/broken", get(async || StatusCode::INTERNAL_SERVER_ERROR).layer(price()))
        .route("/panic", get(panics).layer(price()))
        .route("/wait", get(wait).layer(price()))
        .route("/final", get(plain).layer(merchant.price(held().at_least(Commitment::Finalized))))
        .route("/charge", any(plain).layer(charged()))
        .route("/things/{name}", any(plain).layer(merchant.price(Price::new(PRICE).describe("a thing"))))
        .route("/unlisted", get(plain).layer(merchant.price(Price::new(PRICE).unlisted())))
        .route("/charge/part", get(async || part(300)).layer(charged()))
        .route("/charge/nothing", get(async || part(0)).layer(charged()))
        .route("/charge/missing", get(async || StatusCode::NOT_FOUND).layer(charged()))
        .route("/charge/wait", get(wait).layer(charged()))
        .route("/named", any(plain).layer(named()))
        .route("/named/wait", get(wait).layer(named()))
        .route("/named/stumble", get(stumble).layer(named()))
        .route("/must-be-named", any(plain).layer(merchant.price(held().identified(Offer::Required))))
        .route("/stream/named", get(plain).layer(streamed_named()))
        .route("/stream/named/wait", get(wait).layer(streamed_named()))
        .route("/stream/named/stumble", get(stumble).layer(streamed_named()))
        .route("/stream/named/fall", get(fall).layer(streamed_named()))
        .route("/stream", get(plain).layer(streamed()))
        .route("/stream/broken", get(async || StatusCode::INTERNAL_SERVER_ERROR).layer(streamed()))
        .route("/stream/panic", get(panics).layer(streamed()))
        .route("/stream/wait", get(wait).layer(streamed()))
        .nest("/a", nested)
        .with_state(work)
}

async fn plain(State(work): State<Work>, method: Method, body: Bytes) -> String {
    work.runs.fetch_add(1, Ordering::SeqCst);
    format!("{method} {}", String::from_utf8_lossy(&body))
}

fn cached(control: &'static str) -> Response {
    ([("cache-control", control)], "news").into_response()
}

fn part(amount: u64) -> Response {
    let mut response = "a part".into_response();
    response.extensions_mut().insert(CaptureAmount(amount));
    response
}

async fn panics() {
    panic!("as the test wants it");
}

async fn wait(State(work): State<Work>) -> &'static str {
    work.runs.fetch_add(1, Ordering::SeqCst);
    work.go_on.notified().await;
    "done"
}

/// Fails, if it is to when it starts.
async fn stumble(state: State<Work>) -> Result<&'static str, StatusCode> {
    let fails = state.fails.load(Ordering::SeqCst);
    let done = wait(state).await;
    if fails { Err(StatusCode::INTERNAL_SERVER_ERROR) } else { Ok(done) }
}

/// Panics, if it is to when it starts.
async fn fall(state: State<Work>) -> &'static str {
    stumble(state).await.unwrap()
}
