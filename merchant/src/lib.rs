//! Sells over HTTP: a `tower` layer that puts a price on an axum route.
//!
//! A request without a payment is answered with status 402 and the terms. One with a payment is
//! served once the facilitator holds the amount, as final as the price asks; then the merchant
//! captures what the handler wants, the whole price unless it says otherwise ([`CaptureAmount`]),
//! or releases the hold if the handler did not answer 2xx.
//!
//! Each module uses only those that come after it in this list:
//!
//! - `service`, `refund`: the layer, and money back
//! - `sale`: one request, from challenge to capture
//! - `identified`, `stream`, `retry`: repeats under an id, many requests out of one hold, late
//!   captures
//! - `shared`: what all requests of one merchant share
//! - `answer`, `end`: what clients are answered, and how payments end
//! - `check`, `terms`: what a route asks for, and whether a payment is that
//! - `facilitator`, `unsettled`, `kept`, `sold`: the HTTP client, the file, and in memory the answers
//!   and what was sold
//! - `config`, `price`: what merchants set up

mod answer;
mod check;
mod config;
mod end;
mod facilitator;
mod identified;
mod kept;
mod price;
mod refund;
mod retry;
mod sale;
mod service;
mod shared;
mod sold;
mod stream;
mod terms;
mod unsettled;

use std::sync::Arc;

use x402_escrow_interface::message::MAXIMUM_CAPTURE_SECONDS;
use x402_escrow_wire::{facilitator::SettleResponse, text::Hex32};

pub use config::MerchantConfig;
use facilitator::Facilitator;
pub use facilitator::FacilitatorError;
pub use price::{CaptureAmount, Price};
pub use refund::RefundError;
pub use service::{PaymentLayer, PaymentService};
use shared::Shared;
use unsettled::Unsettled;
pub use unsettled::UnsettledError;

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
    shared: Arc<Shared>,
}

impl Merchant {
    /// Asks the facilitator what it supports, and settles what an earlier run left unsettled in the
    /// background.
    ///
    /// # Errors
    /// If the capture window is out of its bounds, the facilitator doesn't answer, or the file of
    /// unsettled captures can't be used.
    pub async fn connect(config: MerchantConfig) -> Result<Self, MerchantError> {
        if !(1..=MAXIMUM_CAPTURE_SECONDS).contains(&config.capture_window_seconds) {
            return Err(MerchantError::CaptureWindow);
        }
        let facilitator = Facilitator::new(&config.facilitator)?;
        let support = facilitator.support().await?;
        let unsettled = Unsettled::open(config.unsettled.clone())?;
        let shared = Arc::new(Shared::new(config, support, facilitator, unsettled));
        tokio::spawn(retry::settle_again_and_again(Arc::downgrade(&shared)));
        tokio::spawn(stream::close_idle(Arc::downgrade(&shared)));
        Ok(Self { shared })
    }

    /// A layer that asks `price` for what it is put on.
    pub fn price(&self, price: Price) -> PaymentLayer {
        PaymentLayer::new(Arc::clone(&self.shared), price)
    }

    /// Captures what streamed holds have paid and releases the rest of them, now. Returns how many
    /// could not be closed: the facilitator captures those before their deadlines. To be called
    /// when the server stops.
    pub async fn close_streams(&self) -> usize {
        self.shared.close_streams(|_| true).await
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
