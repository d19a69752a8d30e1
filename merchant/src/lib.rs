//! The merchant's side: a `tower` layer that puts a price on an axum route.
//!
//! A request without a payment is answered with status 402 and the terms. One with a payment is served once the
//! facilitator holds the amount, as final as the price asks; then the merchant captures what the handler wants, the
//! whole price unless it says otherwise ([`CaptureAmount`]), or releases the hold if the handler did not answer 2xx.
//!
//! - [`terms`]: what a route asks for, and whether a payment is that
//! - [`service`]: the layer
//! - `stream`: many requests out of one hold
//! - `answer`: what clients are answered
//! - `identified`: what clients that ask again under an id are answered
//! - [`unsettled`]: signed captures and releases that the facilitator doesn't have yet
//! - [`facilitator`]: the HTTP client

mod answer;
pub mod facilitator;
mod identified;
mod price;
mod refund;
mod sale;
pub mod service;
mod stream;
pub mod terms;
pub mod unsettled;

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use x402_escrow_interface::message::{Capture, MAXIMUM_CAPTURE_SECONDS, Release};
use x402_escrow_wire::{
    auth_capture::{Commitment, LifecyclePayload},
    text::{Base58, Decimal, Hex32, Key},
};

pub use facilitator::FacilitatorError;
use facilitator::{Facilitator, Support};
pub use price::Price;
pub use refund::RefundError;
pub use service::{PaymentLayer, PaymentService};
use stream::Stream;
use unsettled::Unsettled;
pub use unsettled::UnsettledError;

/// What a handler puts into its response's extensions to be paid less than the price: base units. The rest of the hold
/// goes back to the payer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureAmount(pub u64);

/// What a merchant sets up once.
#[derive(Clone, Debug)]
pub struct MerchantConfig {
    /// Base URL of the facilitator.
    pub facilitator: String,
    /// Base URL under which clients reach the routes.
    pub public_url: String,
    /// The token's mint.
    pub asset: Key,
    /// Who is paid.
    pub pay_to: Key,
    /// Signs captures and releases.
    pub authorizer: SigningKey,
    /// File of the signed captures and releases that the facilitator doesn't have yet. One merchant at a time uses it.
    pub unsettled: PathBuf,
    /// How long a payment may take, in seconds.
    pub maximum_timeout_seconds: u64,
    /// From challenge to capture deadline, in seconds; at most [`MAXIMUM_CAPTURE_SECONDS`].
    pub capture_window_seconds: i64,
    /// How long after the capture deadline the merchant promises to give refunds, in seconds; 0 for
    /// no promise. Nothing on chain bounds when it gives them.
    pub refund_window_seconds: u32,
    /// How final a capture must be before the facilitator says yes; at least its own policy, which may be satisfied with
    /// having it on disk.
    pub capture_commitment: Option<Commitment>,
    /// How long nobody must have used a streamed hold before it is captured and closed, in seconds.
    pub stream_idle_seconds: u64,
    /// The longest request body.
    pub maximum_body_bytes: usize,
}

impl MerchantConfig {
    /// Pays the owner of `authorizer`; an hour to capture, no refunds, streams closed after a minute, bodies up to 64 KiB.
    pub fn new(
        facilitator: String,
        public_url: String,
        asset: Key,
        authorizer: SigningKey,
        unsettled: PathBuf,
    ) -> Self {
        Self {
            facilitator,
            public_url,
            asset,
            pay_to: Base58(authorizer.verifying_key().to_bytes()),
            authorizer,
            unsettled,
            maximum_timeout_seconds: 60,
            capture_window_seconds: 3600,
            refund_window_seconds: 0,
            capture_commitment: None,
            stream_idle_seconds: 60,
            maximum_body_bytes: 64 * 1024,
        }
    }
}

/// Why a merchant can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum MerchantError {
    /// The facilitator doesn't answer, or can't settle what the merchant would ask for.
    #[error(transparent)]
    Facilitator(#[from] FacilitatorError),
    /// The capture window is out of its bounds.
    #[error("capture_window_seconds: must be 1 to {MAXIMUM_CAPTURE_SECONDS} seconds")]
    CaptureWindow,
    /// The file of unsettled captures can't be used.
    #[error(transparent)]
    Unsettled(#[from] UnsettledError),
}

/// Sells. Clones share everything.
#[derive(Clone)]
pub struct Merchant {
    inner: Arc<Inner>,
}

struct Inner {
    config: MerchantConfig,
    support: Support,
    facilitator: Facilitator,
    unsettled: Unsettled,
    /// What was answered to purchases that have an id.
    answered: Mutex<identified::Answered>,
    /// Purchases that have an id and are being served.
    under_way: Mutex<identified::UnderWay>,
    /// Payments that a request is working on.
    claimed: Mutex<HashSet<Hex32>>,
    /// Payments that were told to come again.
    unanswered: Mutex<HashSet<Hex32>>,
    /// Streamed holds that are not closed.
    streams: Mutex<HashMap<Hex32, Stream>>,
    /// Vouchers, by payment and amount, whose requests were not served: each may pay for another.
    unserved: Mutex<HashSet<(Hex32, Decimal)>>,
}

impl Merchant {
    /// Asks the facilitator what it supports, and settles what an earlier run left unsettled in the background.
    ///
    /// # Errors
    /// If the capture window is out of its bounds, the facilitator doesn't answer, or the file of unsettled captures can't be
    /// used.
    pub async fn connect(config: MerchantConfig) -> Result<Self, MerchantError> {
        if !(1..=MAXIMUM_CAPTURE_SECONDS).contains(&config.capture_window_seconds) {
            return Err(MerchantError::CaptureWindow);
        }
        let facilitator = Facilitator::new(&config.facilitator)?;
        let support = facilitator.support().await?;
        let unsettled = Unsettled::open(config.unsettled.clone())?;
        let inner = Arc::new(Inner {
            config,
            support,
            facilitator,
            unsettled,
            answered: Mutex::default(),
            under_way: Mutex::default(),
            claimed: Mutex::default(),
            unanswered: Mutex::default(),
            streams: Mutex::default(),
            unserved: Mutex::default(),
        });
        tokio::spawn(unsettled::settle_again_and_again(Arc::downgrade(&inner)));
        tokio::spawn(stream::close_idle(Arc::downgrade(&inner)));
        Ok(Self { inner })
    }

    /// Captures what streamed holds have paid and releases the rest of them, now. Returns how many could not be closed:
    /// the facilitator captures those before their deadlines. To be called when the server stops.
    pub async fn close_streams(&self) -> usize {
        self.inner.close_streams(|_| true).await
    }

    /// A layer that asks `price` for what it is put on.
    pub fn price(&self, price: Price) -> PaymentLayer {
        PaymentLayer::new(self.clone(), price)
    }
}

/// A payment that a request is working on, until dropped.
struct Claim {
    inner: Arc<Inner>,
    payment_id: Hex32,
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.inner.claimed).remove(&self.payment_id);
    }
}

impl Inner {
    /// Claims a payment, unless another request works on it.
    fn claim(self: &Arc<Self>, payment_id: Hex32) -> Option<Claim> {
        lock(&self.claimed).insert(payment_id).then(|| Claim { inner: Arc::clone(self), payment_id })
    }

    /// Signs a capture of `amount` that releases the rest, or a release of all if that is 0.
    fn finalize(&self, payment_id: Hex32, amount: u64) -> Value {
        let sign = |bytes: &[u8]| Base58(self.config.authorizer.sign(bytes).to_bytes());
        let intent_digest = payment_id.0;
        json!(if amount > 0 {
            let capture = Capture { intent_digest, amount, fee: 0, last: true };
            LifecyclePayload::Capture {
                payment_id,
                amount: Decimal(amount),
                fee: Decimal(0),
                last: true,
                signature: sign(&capture.signed_bytes()),
            }
        } else {
            let release = Release { intent_digest, amount: 0 };
            LifecyclePayload::Void {
                payment_id,
                amount: Decimal(0),
                signature: sign(&release.signed_bytes()),
            }
        })
    }
}

/// The sets stay whole whatever panics while one is locked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unix_seconds() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}
