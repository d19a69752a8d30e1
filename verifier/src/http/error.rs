//! The one shape of HTTP errors: `{"error": {"code", "message", "field"?}}`. Verdicts of "no" are not errors.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use x402_escrow_domain::{
    budget::{Kind, Owner, UsedUp},
    verify::Rejection,
};
use x402_escrow_wire::{
    error_code::ErrorCode,
    field::FieldError,
    payment_identifier::{EXTENSION, PaymentIdentifier},
};

use crate::{
    chain::ChainError,
    engine::{
        limits::{Limit, TooMany},
        not_accepted::NotAccepted,
    },
    http::answer::Decision,
    store::StoreError,
};

/// The media type of pages for people.
pub const HTML: &str = "text/html; charset=utf-8";

/// When to try again while nothing new is accepted.
const PAUSE_SECONDS: u64 = 30;

/// An HTTP error.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    body: Body,
    retry_after_seconds: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
struct Body {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

impl ApiError {
    /// An error with a status and a message for whoever sent the request.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let body = Body { code, message: message.into(), field: None };
        Self { status, body, retry_after_seconds: None }
    }

    /// Status 400 about a field of the body.
    pub fn bad_field(error: FieldError) -> Self {
        let body = Body { code: "bad_request", message: error.to_string(), field: Some(error.field) };
        Self { status: StatusCode::BAD_REQUEST, body, retry_after_seconds: None }
    }

    /// Status 401: the request is not signed, or not so that it counts here.
    pub fn unauthorized(error: FieldError) -> Self {
        let body = Body { code: "unauthorized", message: error.to_string(), field: Some(error.field) };
        Self { status: StatusCode::UNAUTHORIZED, body, retry_after_seconds: None }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, for people.
    pub fn message(&self) -> &str {
        &self.body.message
    }

    /// Says when to try again: the header `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// Status 503 while nothing new is accepted.
    pub fn paused() -> Self {
        let message =
            "this facilitator is paused: only payments that it accepted before go on; try again later";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "paused", message).retry_after(PAUSE_SECONDS)
    }

    /// Status 409.
    pub fn identifier_taken(id: &PaymentIdentifier) -> Self {
        let field = format!("paymentPayload.extensions.{EXTENSION}.info.id");
        let message = format!("{field}: {id} is in use for another payment of this payer; choose a new id");
        let body = Body { code: "payment_identifier_conflict", message, field: Some(field) };
        Self { status: StatusCode::CONFLICT, body, retry_after_seconds: None }
    }

    /// Status 503.
    pub fn deny_list_failed() -> Self {
        let message = "the operator's deny list can't be checked; try again in 5 seconds";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "deny_list_unavailable", message).retry_after(5)
    }

    /// Status 500. The cause goes to the log, not to the client.
    pub fn internal(cause: &dyn std::error::Error) -> Self {
        tracing::error!(%cause, "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "the verifier failed; its log says why",
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let decision = Decision { code: Some(self.body.code.to_owned()), payment: None };
        let mut response = (self.status, Json(serde_json::json!({ "error": self.body }))).into_response();
        response.extensions_mut().insert(decision);
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, rejection.code.as_str(), rejection.message)
    }
}

impl From<TooMany> for ApiError {
    fn from(TooMany { limit, retry_after_seconds }: TooMany) -> Self {
        let (status, code) = match limit {
            Limit::Followers => (StatusCode::SERVICE_UNAVAILABLE, "too_many_followers"),
            Limit::FollowersPerClient => (StatusCode::TOO_MANY_REQUESTS, "too_many_followers"),
            Limit::OperationsPerPayment => (StatusCode::TOO_MANY_REQUESTS, "too_many_operations"),
            Limit::BodyTime => (StatusCode::REQUEST_TIMEOUT, "body_too_slow"),
            limit if limit.is_of_all() => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
            _ => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
        };
        let message = format!("{}; try again in {retry_after_seconds} s", limit.message());
        Self::new(status, code, message).retry_after(retry_after_seconds)
    }
}

impl From<UsedUp> for ApiError {
    fn from(UsedUp { budget, retry_after_seconds: seconds }: UsedUp) -> Self {
        let what = match budget.kind {
            Kind::Fees => "fees",
            Kind::Rent => "rent",
        };
        let whom = match budget.owner {
            Owner::Payer(_) => "for this payer",
            Owner::Receiver(_) => "for this receiver",
            Owner::Overall => "for all payments",
        };
        let message = format!(
            "this verifier's budget of {what} {whom} in this {} is used up; try again in {seconds} seconds",
            budget.period.as_str()
        );
        Self::new(StatusCode::TOO_MANY_REQUESTS, "budget_used_up", message).retry_after(seconds)
    }
}

impl From<NotAccepted> for ApiError {
    fn from(error: NotAccepted) -> Self {
        match error {
            NotAccepted::Rejected(rejection) => rejection.into(),
            NotAccepted::Malformed(error) => Self::bad_field(error),
            NotAccepted::Chain(error) => error.into(),
            NotAccepted::Store(error) => error.into(),
            NotAccepted::TooMany(too_many) => too_many.into(),
            NotAccepted::UsedUp(used_up) => used_up.into(),
            NotAccepted::DenyListFailed => Self::deny_list_failed(),
            NotAccepted::Paused => Self::paused(),
            NotAccepted::IdentifierTaken(id) => Self::identifier_taken(&id),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::internal(&error)
    }
}

impl From<ChainError> for ApiError {
    fn from(error: ChainError) -> Self {
        tracing::warn!(%error, "request failed");
        let message = "the Solana node did not answer; try again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "chain_unavailable", message).retry_after(1)
    }
}

/// The rejection of what was not accepted. Where none could be reached, it says nothing about the payment, and the cause
/// goes to the log.
///
/// # Errors
/// Where x402 has a status of HTTP for it instead.
pub fn rejection(error: NotAccepted, code: ErrorCode) -> Result<Rejection, ApiError> {
    let message = match error {
        NotAccepted::Rejected(rejection) => return Ok(rejection),
        NotAccepted::Chain(error) => {
            tracing::warn!(%error, "no verdict");
            "the Solana node did not answer; try again"
        }
        NotAccepted::Store(error) => {
            tracing::error!(%error, "no verdict");
            "the verifier's database failed; try again"
        }
        other => return Err(other.into()),
    };
    Ok(Rejection::new(code, message))
}

/// Gives errors that a layer or axum itself answered the same shape. Pages for people keep theirs.
pub async fn in_one_shape(response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_ours = kind.is_some_and(|kind| kind == "application/json" || kind == HTML);
    if !(status.is_client_error() || status.is_server_error()) || is_ours {
        return response;
    }
    let (code, message) = match status {
        StatusCode::NOT_FOUND => ("not_found", "no such path".to_owned()),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method_not_allowed", "this path takes another method: the header `Allow` names it".to_owned())
        }
        StatusCode::GATEWAY_TIMEOUT => {
            ("timeout", "the request took too long; what was accepted goes on: ask again".to_owned())
        }
        StatusCode::PAYLOAD_TOO_LARGE => ("body_too_large", "the body is too large".to_owned()),
        _ => ("error", status.canonical_reason().unwrap_or("error").to_owned()),
    };
    ApiError::new(status, code, message).into_response()
}
