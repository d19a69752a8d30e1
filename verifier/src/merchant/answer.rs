//! What clients are answered. No I/O.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use x402_escrow_wire::{
    X402_VERSION,
    error_code::ErrorCode,
    facilitator::SettleResponse,
    payment::{PAYMENT_REQUIRED, PAYMENT_RESPONSE, PaymentRequired, PaymentRequirements, ResourceInfo},
    text::encode_header,
};

use super::price::Price;
use crate::{error::ApiError, report, verify::Rejection};

/// What a request is answered while it is not paid.
#[derive(Clone, Debug)]
pub(super) struct Challenge {
    required: PaymentRequired,
    network: String,
}

impl Challenge {
    pub(super) fn new(url: String, price: &Price, offer: &PaymentRequirements) -> Self {
        let resource =
            ResourceInfo { url, description: price.description.clone(), mime_type: price.mime_type.clone() };
        let accepts = serde_json::to_value(offer).into_iter().collect();
        let required = PaymentRequired {
            x402_version: X402_VERSION,
            error: None,
            resource,
            accepts,
            extensions: None,
        };
        Self { required, network: offer.network.clone() }
    }

    /// Asks for payment.
    pub(super) fn ask(mut self, why: &str) -> Response {
        self.required.error = Some(why.to_owned());
        let mut response = (StatusCode::PAYMENT_REQUIRED, Json(&self.required)).into_response();
        set(&mut response, PAYMENT_REQUIRED, &self.required);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// Refuses a payment, in the facilitator's words.
    pub(super) fn refuse(self, settlement: &SettleResponse) -> Response {
        let reason = settlement.error_reason.as_deref().unwrap_or("unexpected_settle_error");
        let why = match &settlement.error_message {
            Some(message) => format!("{reason}: {message}"),
            None => reason.to_owned(),
        };
        let mut response = self.ask(&why);
        set(&mut response, PAYMENT_RESPONSE, settlement);
        response
    }

    /// Refuses a payment, in our own.
    pub(super) fn reject(self, rejection: Rejection) -> Response {
        let settlement = report::rejected(&self.network, rejection);
        self.refuse(&settlement)
    }

    /// Refuses a payment that was presented before.
    pub(super) fn already_used(self) -> Response {
        self.reject(Rejection::new(
            ErrorCode::DuplicateSettlement,
            "this payment has bought its response already, or is about to; a new request needs a new payment",
        ))
    }
}

/// The handler's response, with what became of the payment.
pub(super) fn served(mut response: Response, settlement: &SettleResponse) -> Response {
    set(&mut response, PAYMENT_RESPONSE, settlement);
    let headers = response.headers_mut();
    let kept_from_others = headers
        .get(header::CACHE_CONTROL)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("private") || value.contains("no-store"));
    if !kept_from_others {
        // What one paid for is not for a cache that others share (RFC 9111 5.2.2.7).
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    }
    response
}

/// Nobody can say whether the payment is held.
pub(super) fn facilitator_unavailable() -> Response {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "facilitator_unavailable",
        "the payment could not be settled now, and nothing was served; send the same request with the same payment \
         again, within its time",
    )
    .into_response()
}

fn set(response: &mut Response, name: &'static str, content: &impl Serialize) {
    // Base64 of JSON with string keys: both steps always succeed.
    if let Ok(text) = encode_header(content)
        && let Ok(value) = HeaderValue::from_str(&text)
        && let Ok(name) = HeaderName::from_bytes(name.as_bytes())
    {
        response.headers_mut().insert(name, value);
    }
}
