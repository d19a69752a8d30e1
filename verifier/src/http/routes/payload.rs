//! Makes the header that pays of a signed intent.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use x402_escrow_domain::verify::{self, Rejection, requirements};
use x402_escrow_wire::{
    auth_capture::IntentPayload,
    field,
    payment::{PAYMENT_SIGNATURE, PaymentPayload},
    text::{Base58, encode_header},
};

use crate::{
    engine::app::App,
    http::{body::JsonBody, error::ApiError},
};

/// Body of `POST /intents/payload`.
#[derive(Clone, Debug, Deserialize)]
struct PayloadRequest {
    unsigned: PaymentPayload,
    signature: Base58<64>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    header_name: &'static str,
    header_value: String,
    payment_payload: PaymentPayload,
}

/// `POST /intents/payload`: adds the signature, and writes the header that pays.
pub async fn payload(State(app): State<Arc<App>>, body: JsonBody) -> Result<Response, ApiError> {
    let PayloadRequest { unsigned, signature } = body.read()?;
    let mut intent: IntentPayload = field::read(&unsigned.payload)
        .map_err(|error| ApiError::bad_field(error.within("unsigned.payload")))?;
    intent.signature = Some(signature);
    check_signed(&app, &unsigned, &intent)?;
    let payload = serde_json::to_value(intent).map_err(|error| ApiError::internal(&error))?;
    let payment_payload = PaymentPayload { payload, ..unsigned };
    let header_value = encode_header(&payment_payload).map_err(|error| ApiError::internal(&error))?;
    Ok(Json(Payload { header_name: PAYMENT_SIGNATURE, header_value, payment_payload }).into_response())
}

fn check_signed(app: &App, unsigned: &PaymentPayload, payload: &IntentPayload) -> Result<(), Rejection> {
    requirements::check_version(unsigned.x402_version, "unsigned.x402Version")?;
    let extra = requirements::check(&unsigned.accepted, &app.rules)?;
    requirements::check_fee_payer(&extra, &app.rules)?;
    let intent = verify::intent::read(payload, &unsigned.accepted, &extra)?;
    match &payload.signature {
        Some(signature) => verify::intent::check_signature(&intent, &signature.0),
        None => Ok(()),
    }
}
