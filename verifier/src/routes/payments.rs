//! All that is known of a payment.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use x402_escrow_wire::{field::FieldError, text::Hex32};

use crate::{
    app::App,
    error::ApiError,
    payment::History,
    report::{self, PaymentReport},
};

/// `GET /payments/{id}`: all that is known of a payment.
pub async fn payment(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<PaymentReport>, ApiError> {
    let history = find(&app, &id).await?;
    Ok(Json(report::payment(&app.facilitator.network, &history)))
}

/// The payment whose id is in the path.
pub(super) async fn find(app: &App, id: &str) -> Result<History, ApiError> {
    let id: Hex32 =
        id.parse().map_err(|message| ApiError::bad_field(FieldError { field: "id".to_owned(), message }))?;
    app.store.history(&id.0).await?.ok_or_else(|| {
        ApiError::new(StatusCode::NOT_FOUND, "payment_not_found", format!("no payment {id} is known here"))
    })
}
