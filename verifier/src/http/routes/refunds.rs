//! Refunds: drafted here, signed by the receiver, paid for and followed here.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use base64::{Engine, prelude::BASE64_STANDARD};
use x402_escrow_domain::report;
use x402_escrow_wire::{
    error_code::ErrorCode,
    facilitator::{RefundDraft, RefundRequest, SettleResponse, SignedRefund},
    field::FieldError,
    text::Decimal,
};

use crate::{
    engine::{app::App, limits::Caller, refund},
    http::{
        answer::Answer,
        body::JsonBody,
        error::{ApiError, rejection},
    },
};

/// `POST /refunds`: drafts the transaction that the receiver signs. Changes nothing.
pub async fn draft(State(app): State<Arc<App>>, body: JsonBody) -> Result<Json<RefundDraft>, ApiError> {
    let RefundRequest { payment_id, amount } = body.read()?;
    let draft = refund::draft(&app, &payment_id.0, amount.0).await?;
    let message = BASE64_STANDARD.encode(draft.message);
    Ok(Json(RefundDraft { message, returns: Decimal(draft.returns) }))
}

/// `POST /refunds/signed`: sends what the receiver signed, and answers like `/settle`.
pub async fn send(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    body: JsonBody,
) -> Result<Answer<SettleResponse>, ApiError> {
    let SignedRefund { payment_id, amount, message, signature } = body.read()?;
    let message = BASE64_STANDARD.decode(message).map_err(|error| {
        ApiError::bad_field(FieldError { field: "message".to_owned(), message: error.to_string() })
    })?;
    let network = &app.rules.network;
    Ok(Answer(match refund::send(&app, &caller, &payment_id.0, amount.0, &message, &signature.0).await {
        Ok(progress) => report::settled(network, &progress),
        Err(error) => report::rejected(network, rejection(error, ErrorCode::UnexpectedSettleError)?),
    }))
}
