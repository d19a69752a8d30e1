//! Revocations: signed by an escrow's payer or guardian, relayed and paid for here.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use x402_escrow_wire::{
    revocation::{Revocation, Revoked},
    text::Base58,
};

use crate::{
    engine::{
        app::App,
        revocation::{self, NotRelayed},
    },
    http::{body::JsonBody, error::ApiError},
};

/// When to ask again about one that was sent.
const PENDING_SECONDS: u64 = 1;

/// `POST /revocations`: relays a signed revocation, and answers once it is confirmed.
pub async fn relay(State(app): State<Arc<App>>, body: JsonBody) -> Result<Json<Revoked>, ApiError> {
    let revocation: Revocation = body.read()?;
    let relayed = revocation::relay(&app, &revocation).await;
    let transaction = relayed.map_err(|error| match error {
        NotRelayed::Refused { code, message } => {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
        }
        NotRelayed::Pending => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "revocation_pending", error.to_string())
                .retry_after(PENDING_SECONDS)
        }
        NotRelayed::NotAccepted(error) => error.into(),
    })?;
    Ok(Json(Revoked { transaction: transaction.map(Base58) }))
}
