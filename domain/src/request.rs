//! Reads what a body of `/verify` or `/settle` asks for, by its version and scheme. Uses `exact`, `identifier`,
//! `verify`.

use serde::de::DeserializeOwned;
use serde_json::Value;
use x402_escrow_wire::{
    X402_VERSION,
    auth_capture::Payload,
    error_code::ErrorCode,
    facilitator::FacilitatorRequest,
    field::{self, FieldError},
    v1,
};

use crate::{
    exact,
    identifier::{self, Identifier},
    verify::{Rejection, Rules, request::read_payload},
};

/// What is asked for.
#[derive(Clone, Debug)]
pub enum Request {
    /// Something of the scheme `auth-capture`.
    AuthCapture(Box<AuthCaptureRequest>),
    /// A transfer of the scheme `exact`, whichever version asked for it.
    Exact(Box<exact::requirements::Request>),
}

/// Something of the scheme `auth-capture`.
#[derive(Clone, Debug)]
pub struct AuthCaptureRequest {
    /// The body.
    pub body: FacilitatorRequest,
    /// The scheme's payload in it.
    pub payload: Payload,
    /// What the client calls its payment, if anything.
    pub identifier: Option<Identifier>,
}

/// Why a body asks for nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NotRead {
    /// A field of it is missing or malformed.
    #[error(transparent)]
    Malformed(#[from] FieldError),
    /// The verdict is no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
}

/// Reads `body`.
///
/// # Errors
/// If it is malformed, or nothing that can be settled by `rules`.
pub fn read(body: &Value, rules: &Rules) -> Result<Request, NotRead> {
    // Another protocol version has another shape: say so, instead of which of our fields it lacks.
    match version(body) {
        Some(v1::X402_VERSION) => {
            let request = exact::requirements::read_v1(&read_as(body)?, rules)?;
            return Ok(Request::Exact(Box::new(request)));
        }
        Some(version) if version != X402_VERSION => {
            return Err(NotRead::Rejected(Rejection::new(
                ErrorCode::InvalidX402Version,
                format!(
                    "x402Version: this facilitator speaks versions {} and {X402_VERSION}, not {version}",
                    v1::X402_VERSION
                ),
            )));
        }
        _ => {}
    }
    let body: FacilitatorRequest = read_as(body)?;
    let identifier = identifier::read(&body)?;
    if exact::requirements::is_exact(&body) {
        let request = exact::requirements::read(&body, rules)?;
        return Ok(Request::Exact(Box::new(exact::requirements::Request { identifier, ..request })));
    }
    let payload = read_payload(&body)?;
    Ok(Request::AuthCapture(Box::new(AuthCaptureRequest { body, payload, identifier })))
}

/// The network as the body's version calls it.
pub fn network<'a>(body: &Value, rules: &'a Rules) -> &'a str {
    let name = v1::network_name(&rules.network).filter(|_| version(body) == Some(v1::X402_VERSION));
    name.unwrap_or(&rules.network)
}

fn version(body: &Value) -> Option<u64> {
    body.get("x402Version").and_then(Value::as_u64)
}

fn read_as<T: DeserializeOwned>(body: &Value) -> Result<T, FieldError> {
    field::read(body)
}
