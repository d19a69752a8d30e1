//! All that is known of a payment.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Serialize;
use x402_escrow_wire::{field::FieldError, text::Hex32};

use crate::{app::App, error::ApiError, exact, payment::History, report};

/// `GET /payments/{id}`: all that is known of a payment.
pub async fn payment(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<PaymentReport>, ApiError> {
    let id = read_id(&id)?;
    let network = &app.facilitator.network;
    if let Some(payment) = app.store.exact_payment(&id.0).await? {
        return Ok(Json(PaymentReport::Exact(exact::report::payment(network, &payment).into())));
    }
    let history = find(&app, &id).await?;
    Ok(Json(PaymentReport::AuthCapture(report::payment(network, &history).into())))
}

/// A payment of either scheme.
#[derive(Serialize)]
#[serde(untagged)]
pub enum PaymentReport {
    /// One that is held first.
    AuthCapture(Box<report::PaymentReport>),
    /// One that is paid at once.
    Exact(Box<exact::report::PaymentReport>),
}

/// Reads the id that is in the path.
pub(super) fn read_id(id: &str) -> Result<Hex32, ApiError> {
    id.parse().map_err(|message| ApiError::bad_field(FieldError { field: "id".to_owned(), message }))
}

/// The payment with this id that is held first.
pub(super) async fn find(app: &App, id: &Hex32) -> Result<History, ApiError> {
    app.store.history(&id.0).await?.ok_or_else(|| {
        ApiError::new(StatusCode::NOT_FOUND, "payment_not_found", format!("no payment {id} is known here"))
    })
}
