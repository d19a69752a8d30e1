//! What is known of a payment, whichever scheme it is of.

use serde::Serialize;
use x402_escrow_interface::message::Digest;

use crate::{engine::app::App, store::StoreError};
use x402_escrow_domain::report;

/// What is known of a payment.
#[derive(Clone, Debug)]
pub struct Known {
    /// For whoever asks.
    pub report: PaymentReport,
    /// Whether nothing about it can change any more.
    pub is_over: bool,
}

/// A payment of either scheme.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum PaymentReport {
    /// One that is held first.
    AuthCapture(Box<report::PaymentReport>),
    /// One that is paid at once.
    Exact(Box<x402_escrow_domain::exact::report::PaymentReport>),
}

/// Looks a payment up by its id.
///
/// # Errors
/// If the store fails.
pub async fn payment(app: &App, id: &Digest) -> Result<Option<Known>, StoreError> {
    let network = &app.facilitator.network;
    if let Some(payment) = app.store.exact_payment(id).await? {
        let report =
            PaymentReport::Exact(Box::new(x402_escrow_domain::exact::report::payment(network, &payment)));
        return Ok(Some(Known { report, is_over: payment.closed }));
    }
    Ok(app.store.history(id).await?.map(|history| Known {
        report: PaymentReport::AuthCapture(Box::new(report::payment(network, &history))),
        is_over: history.is_over(),
    }))
}
