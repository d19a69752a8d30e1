//! Reads request bodies.

use axum::{
    RequestExt,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use x402_escrow_domain::request::Body;
use x402_escrow_wire::field;

use crate::http::error::ApiError;

/// A JSON body, still as it was sent.
#[derive(Clone, Debug)]
pub struct JsonBody(pub Value);

impl JsonBody {
    /// Reads the body as a `T`.
    ///
    /// # Errors
    /// Status 400 that names the field.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        field::read(&self.0).map_err(ApiError::bad_field)
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let json = json(request, state).await?;
        serde_json::from_slice(&json).map(Self).map_err(|error| not_json(&error))
    }
}

/// The body of `/verify` and `/settle`.
#[derive(Clone, Debug)]
pub struct PaymentBody(pub Body);

impl<S: Send + Sync> FromRequest<S> for PaymentBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let json = json(request, state).await?;
        Body::parse(&json).map(Self).map_err(|error| not_json(&error))
    }
}

fn not_json(error: &serde_json::Error) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "not_json", format!("the body is not JSON: {error}"))
}

async fn json<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    if !is_json(request.headers()) {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "the body must be JSON: send the header `Content-Type: application/json`",
        ));
    }
    bytes(request, state).await
}

/// Reads the whole body of `request` before anything is done about it, so that one that comes slowly keeps no place from
/// others.
///
/// # Errors
/// If it is too long or breaks off.
pub(super) async fn read_ahead(request: Request) -> Result<Request, ApiError> {
    // The limit is among the parts. The body takes it along, so that the parts need not be copied, which would cost
    // more than reading the body.
    let (parts, body) = request.with_limited_body().into_parts();
    let mut limited = Request::new(body);
    DefaultBodyLimit::disable().apply(&mut limited);
    let bytes = bytes(limited, &()).await?;
    Ok(Request::from_parts(parts, bytes.into()))
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state).await.map_err(|rejection: BytesRejection| {
        let status = rejection.status();
        let code = if status == StatusCode::PAYLOAD_TOO_LARGE { "body_too_large" } else { "bad_request" };
        ApiError::new(status, code, rejection.body_text())
    })
}

/// Whether the body is declared as `application/json`, with or without parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let declared =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    declared.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}
