//! Builds what clients are answered. Uses the terms; no I/O.

use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CACHE_CONTROL},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;
use tracing::error;
use x402_escrow_wire::{
    error_code::ErrorCode,
    facilitator::SettleResponse,
    payment::{PAYMENT_REQUIRED, PAYMENT_RESPONSE},
    text::encode_header,
};

use crate::{facilitator::FacilitatorError, terms::Terms};

/// 402 with the terms.
pub(crate) fn challenge(terms: &Terms<'_>, error: &str) -> Response {
    let challenge = terms.challenge(error);
    let mut response = (StatusCode::PAYMENT_REQUIRED, Json(&challenge)).into_response();
    set(response.headers_mut(), PAYMENT_REQUIRED, &challenge);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The handler's response, with what became of the payment.
pub(crate) fn served(mut response: Response, settled: &SettleResponse) -> Response {
    let headers = response.headers_mut();
    set(headers, PAYMENT_RESPONSE, settled);
    // What one client paid for is not for a cache that others share (RFC 9111 5.2.2.7).
    let not_stored = headers.get(CACHE_CONTROL).is_some_and(|value| value == "no-store");
    if !not_stored {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private"));
    }
    response
}

/// 402 with the terms, and why this payment is not on them.
pub(crate) fn refusal(terms: &Terms<'_>, code: ErrorCode, message: &str) -> Response {
    refused_settlement(
        terms,
        &SettleResponse {
            success: false,
            error_reason: Some(code.to_string()),
            error_message: Some(message.to_owned()),
            payer: None,
            transaction: String::new(),
            network: terms.support.network.clone(),
            amount: None,
            extra: None,
        },
    )
}

pub(crate) fn refused_settlement(terms: &Terms<'_>, answer: &SettleResponse) -> Response {
    let reason = answer.error_reason.as_deref().unwrap_or("unexpected_settle_error");
    let mut response = challenge(terms, reason);
    set(response.headers_mut(), PAYMENT_RESPONSE, answer);
    response
}

pub(crate) fn problem(status: StatusCode, code: &str, message: &str) -> Response {
    let body = Json(json!({ "error": { "code": code, "message": message } }));
    (status, [(CACHE_CONTROL, "no-store")], body).into_response()
}

pub(crate) fn internal_error(message: &str) -> Response {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message)
}

/// What a client is told where the facilitator said yes to less than the route asks for.
pub(crate) fn untrustworthy() -> Response {
    problem(
        StatusCode::BAD_GATEWAY,
        "facilitator_untrustworthy",
        "the facilitator's answer is weaker than what this route asks for",
    )
}

/// What a client is told where the facilitator gave no verdict.
pub(crate) fn no_verdict(error: &FacilitatorError, message: &str) -> Response {
    match error {
        FacilitatorError::Status { status, .. } if *status == StatusCode::CONFLICT => problem(
            StatusCode::CONFLICT,
            "payment_identifier_conflict",
            "the id is another payment's; a new purchase needs a new id",
        ),
        _ => problem(StatusCode::SERVICE_UNAVAILABLE, "facilitator_unavailable", message),
    }
}

fn set(headers: &mut HeaderMap, name: &str, value: &impl Serialize) {
    let encoded = encode_header(value).ok().and_then(|text| HeaderValue::from_str(&text).ok());
    match (HeaderName::from_bytes(name.as_bytes()), encoded) {
        (Ok(name), Some(value)) => _ = headers.insert(name, value),
        _ => error!(name, "the header {name} could not be written"),
    }
}
