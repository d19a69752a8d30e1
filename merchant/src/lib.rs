//! Sells over HTTP: a `tower` layer that puts a price on an axum route.
//!
//! A request without a payment is answered with status 402 and the terms. One with a payment is
//! checked, served, charged, and answered last: nothing leaves unpaid. The merchant is paid what the
//! handler wants, the whole price unless it says otherwise ([`CaptureAmount`]), and nothing if the
//! handler did not answer 2xx. A price that is held ([`Price::held`]) is served once the facilitator
//! holds the amount, as final as the price asks; then it is captured, or released.
//!
//! What a merchant knows of its purchases is on disk before it acts on it, and changes as
//! `docs/purchases.md` says: [`x402_escrow_wire::purchase`].
//!
//! Each module uses only those that come after it in this list:
//!
//! - `service`, `refund`: the layer, and money back
//! - [`signed`]: requests that show a merchant its own payments on any verifier
//! - `browser`, `page`: pages of other origins, people with a browser, and refusals in the log
//! - `ready`: what would prevent every sale, at the start and later
//! - `sale`, `charged`, `held`, `streamed`, `asked`: one request, from challenge to answer
//! - `identified`, `ending`: repeats under an id, and how holds end
//! - `shared`: what all requests of one merchant share
//! - `answer`, `end`: what clients are answered, and what merchants sign
//! - `check`, `terms`, `listing`: what a route asks for and says of itself, and whether a payment is that
//! - `facilitator`, `exchange`, `record`, `kept`: the HTTP client, the files, and answers in memory
//! - `config`, `base`, `price`: what merchants set up

mod answer;
mod asked;
mod base;
mod browser;
mod charged;
mod check;
mod config;
#[cfg(test)]
mod conversations;
mod end;
mod ending;
mod exchange;
mod facilitator;
#[cfg(test)]
mod fixture;
mod held;
mod identified;
mod kept;
mod listing;
mod page;
mod price;
mod ready;
mod record;
mod refund;
mod sale;
mod service;
mod shared;
pub mod signed;
#[cfg(test)]
mod simulation;
mod streamed;
mod terms;

use std::sync::Arc;
use x402_escrow_wire::clock::unix_now;

use x402_escrow_wire::{
    amount::{self, AmountError},
    facilitator::SettleResponse,
    text::Hex32,
};

pub use config::{ConfigError, MerchantConfig};
use facilitator::Facilitator;
pub use facilitator::FacilitatorError;
pub use price::{CaptureAmount, Price};
pub use ready::NotReady;
use record::Record;
pub use record::RecordError;
pub use refund::{RefundError, refund_payment};
pub use service::{PaymentLayer, PaymentService};
use shared::Shared;

/// Why a merchant can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum MerchantError {
    /// A setting can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The HTTP client can't be set up.
    #[error("setting up the HTTP client: {0}")]
    Http(String),
    /// The facilitator doesn't answer, or can't settle what the merchant would ask for.
    #[error(transparent)]
    Facilitator(#[from] FacilitatorError),
    /// Nothing could be sold.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// The merchant's record can't be used.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Why a text is no price.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// It is no amount of the token.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// Neither the facilitator nor the settings tell the token's decimals.
    #[error("the facilitator does not report the token's decimals; set MerchantConfig::decimals")]
    UnknownDecimals,
}

/// Sells. Clones share everything.
#[derive(Clone)]
pub struct Merchant {
    shared: Arc<Shared>,
}

impl Merchant {
    /// Checks the settings, asks the facilitator what it supports and whether the receiver can be paid, and goes on in the
    /// background with both questions and with what an earlier run left to be ended.
    ///
    /// # Errors
    /// If a setting can't be used, the facilitator doesn't answer, the receiver has no token account, or the record can't
    /// be used.
    pub async fn connect(mut config: MerchantConfig) -> Result<Self, MerchantError> {
        let (url, base) = config.check()?;
        let exchange =
            exchange::over_http(url.clone()).map_err(|error| MerchantError::Http(error.to_string()))?;
        let receivers = exchange::over_http(ready::address(&url, &config))
            .map_err(|error| MerchantError::Http(error.to_string()))?;
        let facilitator = Facilitator::new(url, exchange);
        let support = facilitator.support().await?;
        check_decimals(&config, support.decimals(&config.asset))?;
        config.decimals = ready::check_receiver(&receivers, &config).await?.or(config.decimals);
        let folder = config.state_folder.clone();
        let record = tokio::task::spawn_blocking(move || Record::open(&folder, unix_now())).await;
        let record = record.unwrap_or_else(|cause| std::panic::resume_unwind(cause.into_panic()))?;
        let shared = Arc::new(Shared::new(config, base, support, facilitator, record, Arc::new(unix_now)));
        tokio::spawn(ending::run(Arc::downgrade(&shared)));
        tokio::spawn(shared::follow_support(Arc::downgrade(&shared)));
        tokio::spawn(ready::follow_receiver(Arc::downgrade(&shared), receivers));
        Ok(Self { shared })
    }

    /// A layer that asks `price` for what it is put on.
    ///
    /// # Panics
    /// If nothing can be sold at this price: it is 0, or more than its hold.
    pub fn price(&self, price: Price) -> PaymentLayer {
        if let Some(mistake) = price.mistake() {
            panic!("{mistake}");
        }
        PaymentLayer::new(Arc::clone(&self.shared), price)
    }

    /// Base units of a decimal amount of the token, `0.25`.
    ///
    /// # Errors
    /// If it is not exactly a number of base units, or the token's decimals are not known.
    pub fn tokens(&self, amount: &str) -> Result<u64, PriceError> {
        let decimals = self.shared.decimals().ok_or(PriceError::UnknownDecimals)?;
        Ok(amount::parse(amount, decimals)?)
    }

    /// Captures what streamed holds have paid and releases the rest of them, now. Returns how many
    /// could not be closed: the facilitator captures those before their deadlines. To be called
    /// when the server stops.
    pub async fn close_streams(&self) -> usize {
        ending::close_streams(&self.shared).await
    }

    /// Returns captured money to the payer's escrow until `amount` base units of the payment are
    /// refunded in all, and waits until that is final enough. The same call again returns nothing
    /// more.
    ///
    /// # Errors
    /// If the facilitator gives no verdict, or drafts something else. That a refund was refused is
    /// no error: the answer says so.
    pub async fn refund(&self, payment_id: Hex32, amount: u64) -> Result<SettleResponse, RefundError> {
        refund::refund(&self.shared, payment_id, amount).await
    }
}

/// # Errors
/// If the setting and the facilitator disagree: every price would be off by a power of ten.
fn check_decimals(config: &MerchantConfig, told: Option<u8>) -> Result<(), ConfigError> {
    match (config.decimals, told) {
        (Some(set), Some(told)) if set != told => Err(ConfigError {
            setting: "decimals",
            message: format!("are {set}, and the facilitator says {told}; leave the setting out"),
        }),
        _ => Ok(()),
    }
}
