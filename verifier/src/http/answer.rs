//! What was decided about a request: goes with the answer to the layers that count and log, and not to the client.

use axum::{
    Json,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use x402_escrow_wire::{
    error_code::ErrorCode,
    facilitator::{SettleResponse, VerifyResponse},
};

/// When to ask again for what is not decided yet, in seconds: the header `Retry-After`.
const PENDING_SECONDS: u64 = 1;

/// What was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The code of a "no" or of an error.
    pub code: Option<String>,
    /// The payment that it is about, where that is known.
    pub payment: Option<String>,
}

/// An answer that is a decision.
pub trait Decided: Serialize {
    /// What it decides.
    fn decision(&self) -> Decision;
}

impl Decided for VerifyResponse {
    fn decision(&self) -> Decision {
        Decision { code: self.invalid_reason.clone(), payment: None }
    }
}

impl Decided for SettleResponse {
    fn decision(&self) -> Decision {
        let payment = self.extra.as_ref().and_then(|extra| extra.get("paymentId")?.as_str());
        Decision { code: self.error_reason.clone(), payment: payment.map(str::to_owned) }
    }
}

/// Answers with status 200 and JSON: a "no" is not an error.
#[derive(Clone, Debug)]
pub struct Answer<T>(pub T);

impl<T: Decided> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let decision = self.0.decision();
        let mut response = Json(self.0).into_response();
        if decision.code.as_deref() == Some(ErrorCode::SettlementPending.as_str()) {
            response.headers_mut().insert(header::RETRY_AFTER, PENDING_SECONDS.into());
        }
        response.extensions_mut().insert(decision);
        response
    }
}
