//! All that is known of a payment.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use x402_escrow_domain::{
    payment::History,
    report::{self, PaymentReport},
};
use x402_escrow_wire::{field::FieldError, text::Hex32};

use crate::{engine::app::App, http::error::ApiError};

/// `GET /payments/{id}`: all that is known of a payment.
pub async fn payment(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<PaymentReport>, ApiError> {
    let history = find(&app, &read_id(&id)?).await?;
    Ok(Json(report::payment(&app.rules.network, &history)))
}

/// Reads the id that is in the path.
pub(super) fn read_id(id: &str) -> Result<Hex32, ApiError> {
    id.parse().map_err(|message| ApiError::bad_field(FieldError { field: "id".to_owned(), message }))
}

/// The payment with this id.
pub(super) async fn find(app: &App, id: &Hex32) -> Result<History, ApiError> {
    app.store.history(&id.0).await?.ok_or_else(|| {
        ApiError::new(StatusCode::NOT_FOUND, "payment_not_found", format!("no payment {id} is known here"))
    })
}
