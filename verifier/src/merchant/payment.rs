//! Reads the payment that a request presents. No I/O.

use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use x402_escrow_interface::message::{Digest, Intent};
use x402_escrow_wire::{
    X402_VERSION,
    auth_capture::{Extra, IntentPayload},
    error_code::ErrorCode,
    facilitator::FacilitatorRequest,
    field,
    payment::{PAYMENT_SIGNATURE, PaymentPayload},
    text::decode_header,
};

use super::price::{Price, Terms};
use crate::{
    error::ApiError,
    verify::{Rejection, intent::check_signature, requirements::check_version},
};

/// A signed payment of the price, for this request.
#[derive(Clone, Debug)]
pub(super) struct Payment {
    /// The payment's identity.
    pub(super) id: Digest,
    /// What the payer signed.
    pub(super) intent: Intent,
    /// What asks the facilitator to hold it.
    pub(super) request: FacilitatorRequest,
}

/// The payment that the headers carry; `None` if they carry none.
///
/// # Errors
/// Status 400 if it can't be read; the message names the field.
pub(super) fn decode(headers: &HeaderMap) -> Result<Option<PaymentPayload>, ApiError> {
    let bad = |message: String| ApiError::new(StatusCode::BAD_REQUEST, "invalid_payload", message);
    let mut values = headers.get_all(PAYMENT_SIGNATURE).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(bad(format!("the header {PAYMENT_SIGNATURE} is there twice")));
    }
    let text = value.to_str().map_err(|_| bad(format!("{PAYMENT_SIGNATURE} is not text")))?;
    let json: Value =
        decode_header(text).map_err(|error| bad(format!("{PAYMENT_SIGNATURE}: {error}")))?;
    field::read(&json).map(Some).map_err(ApiError::bad_field)
}

/// Checks that `payload` is a signed payment of `price` for the request with `resource_hash`.
pub(super) fn check(
    payload: &PaymentPayload,
    terms: &Terms,
    price: &Price,
    resource_hash: Digest,
    now: i64,
) -> Result<Payment, Rejection> {
    check_version(payload.x402_version, "x402Version")?;
    let accepted = &payload.accepted;
    terms.check(accepted, price, resource_hash, now)?;
    let unreadable = |code, at: &str, error: field::FieldError| {
        Rejection::new(code, error.within(at).to_string())
    };
    let extra: Extra = field::read(&Value::Object(accepted.extra.clone()))
        .map_err(|error| unreadable(ErrorCode::InvalidExtra, "accepted.extra", error))?;
    let signed: IntentPayload = field::read(&payload.payload)
        .map_err(|error| unreadable(ErrorCode::InvalidPayload, "payload", error))?;
    let signature = signed.signature.ok_or_else(|| {
        Rejection::new(ErrorCode::InvalidPayload, "payload.signature: is missing; sign the intent")
    })?;
    let intent = signed.intent(accepted, &extra);
    check_signature(&intent, &signature.0)?;
    // Written anew: what the client put there besides is not the facilitator's business.
    let payload = PaymentPayload {
        x402_version: X402_VERSION,
        resource: None,
        accepted: accepted.clone(),
        payload: json!(signed),
        extensions: None,
    };
    let request = FacilitatorRequest {
        x402_version: X402_VERSION,
        payment_requirements: payload.accepted.clone(),
        payment_payload: payload,
    };
    Ok(Payment { id: intent.digest(), intent, request })
}
