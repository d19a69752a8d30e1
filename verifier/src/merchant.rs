//! Puts prices on axum routes, paid through a facilitator with the scheme `auth-capture`, flow `escrow`: the price is
//! held before the handler runs, captured if it answers 2xx, and released otherwise.
//!
//! ```no_run
//! # use axum::{Router, routing::get};
//! # use x402_escrow_verifier::merchant::{Merchant, Price, Settings};
//! # async fn example(settings: Settings) -> Result<(), Box<dyn std::error::Error>> {
//! # let (usdc, receiver) = Default::default();
//! let merchant = Merchant::open(settings).await?;
//! let weather = Price::new(1_000, usdc, receiver); // 0.001 USDC
//! let app: Router = Router::new()
//!     .route("/weather", get(async || "sunny").route_layer(merchant.charge(weather)?));
//! # Ok(())
//! # }
//! ```
//!
//! In reading order:
//!
//! - `layer`: the layer, and what is the same for paid and unpaid requests
//! - `price`, `payment`, `answer`: what is asked, what is presented, what is answered; none of them does I/O
//! - `sale`: one payment from the hold to its end
//! - `ledger`: what must not be lost between these
//! - `catch_up`: ends what a crash or an unreachable facilitator left open
//! - `facilitator`: HTTP

mod answer;
mod catch_up;
mod facilitator;
mod layer;
mod ledger;
mod payment;
mod price;
mod sale;

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use ed25519_dalek::SigningKey;
use x402_escrow_interface::{Address, message::Digest};

use facilitator::Facilitator;
pub use facilitator::FacilitatorError;
pub use layer::{PaymentLayer, PaymentService};
use ledger::Ledger;
pub use ledger::LedgerError;
use price::Terms;
pub use price::{InvalidPrice, Price};

/// What a handler puts into its response's extensions to be paid less than the price: base units. The rest of the hold
/// goes back to the payer; 0 releases all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureAmount(pub u64);

/// What a merchant sets up once.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Base URL of the facilitator. The merchant believes what it says about the chain.
    pub facilitator: String,
    /// Base URL under which clients reach the routes. Payments are bound to it, whatever a request's `Host` says.
    pub public_url: String,
    /// Signs captures and releases. It can't move money elsewhere than to the price's receiver or back to the payer.
    pub key: SigningKey,
    /// File for what must survive a crash. One running merchant has it to itself.
    pub ledger: PathBuf,
    /// The network to be paid on, as a CAIP-2 id; `None` for whichever the facilitator settles on.
    pub network: Option<String>,
}

/// Why a merchant can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum MerchantError {
    /// The public URL is not one.
    #[error("public_url: {0:?} must be an http or https URL without query and fragment")]
    PublicUrl(String),
    /// The facilitator doesn't answer.
    #[error(transparent)]
    Facilitator(#[from] FacilitatorError),
    /// The facilitator can't settle what the merchant would ask for.
    #[error("the facilitator {url} doesn't settle auth-capture of this escrow program{on}; see {url}/supported")]
    Unsupported {
        /// The facilitator.
        url: String,
        /// The network, if one was asked for.
        on: String,
    },
    /// The ledger can't be opened.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Sells. Clones share everything.
#[derive(Clone)]
pub struct Merchant {
    shop: Arc<Shop>,
}

/// What every sale needs.
struct Shop {
    public_url: String,
    terms: Terms,
    key: SigningKey,
    facilitator: Facilitator,
    ledger: Ledger,
    /// Payments that a task is working on.
    in_hand: Mutex<HashSet<Digest>>,
}

impl Merchant {
    /// Asks the facilitator what it settles, opens the ledger, and ends what an earlier run left open.
    ///
    /// # Errors
    /// If the settings are unsound, the facilitator doesn't answer or can't settle, or the ledger is in use.
    pub async fn open(settings: Settings) -> Result<Self, MerchantError> {
        let public_url = layer::base_url(&settings.public_url)
            .ok_or_else(|| MerchantError::PublicUrl(settings.public_url.clone()))?;
        let facilitator = Facilitator::new(&settings.facilitator)?;
        let supported = facilitator.supported().await?;
        let authorizer = Address::from(settings.key.verifying_key().to_bytes());
        let terms = Terms::new(&supported, settings.network.as_deref(), authorizer).ok_or_else(|| {
            let on = settings.network.as_ref().map(|network| format!(" on {network}")).unwrap_or_default();
            MerchantError::Unsupported { url: settings.facilitator.clone(), on }
        })?;
        let ledger = Ledger::open(&settings.ledger).await?;
        let shop = Arc::new(Shop {
            public_url,
            terms,
            key: settings.key,
            facilitator,
            ledger,
            in_hand: Mutex::default(),
        });
        catch_up::take_back_unfinished(&shop).await?;
        tokio::spawn(catch_up::run(Arc::downgrade(&shop)));
        Ok(Self { shop })
    }

    /// A layer that asks `price` for whatever it is put on. Use [`axum::routing::MethodRouter::route_layer`], so that
    /// requests with another method are answered 405 and not charged.
    ///
    /// # Errors
    /// If the price can't be asked.
    pub fn charge(&self, price: Price) -> Result<PaymentLayer, InvalidPrice> {
        price.check()?;
        Ok(PaymentLayer { shop: Arc::clone(&self.shop), price: Arc::new(price) })
    }
}

/// A payment taken in hand; put down again when dropped.
struct InHand {
    shop: Arc<Shop>,
    id: Digest,
}

impl Shop {
    /// Takes a payment in hand, unless another task has it.
    fn take(self: &Arc<Self>, id: Digest) -> Option<InHand> {
        let taken = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        taken.then(|| InHand { shop: Arc::clone(self), id })
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.shop.in_hand.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
