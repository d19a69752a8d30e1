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

/// A body of `/verify` or `/settle`.
#[derive(Clone, Debug)]
pub enum Body {
    /// One of version 2, which most are.
    Current(Box<FacilitatorRequest>),
    /// One of another version, or one that is malformed: then it is read so that the error names the field.
    Other(Value),
}

impl Body {
    /// Reads JSON.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        match serde_json::from_slice::<FacilitatorRequest>(json) {
            Ok(body) if body.x402_version == X402_VERSION => Ok(Self::Current(Box::new(body))),
            _ => serde_json::from_slice(json).map(Self::Other),
        }
    }

    /// The request, if it is a sound one of version 2.
    pub fn current(&self) -> Option<&FacilitatorRequest> {
        match self {
            Self::Current(request) => Some(request),
            Self::Other(_) => None,
        }
    }

    /// The network as the body's version calls it.
    pub fn network<'a>(&self, rules: &'a Rules) -> &'a str {
        let is_first = matches!(self, Self::Other(body) if version(body) == Some(v1::X402_VERSION));
        v1::network_name(&rules.network).filter(|_| is_first).unwrap_or(&rules.network)
    }

    /// Reads what is asked for.
    ///
    /// # Errors
    /// If it is malformed, or nothing that can be settled by `rules`.
    pub fn read(self, rules: &Rules) -> Result<Request, NotRead> {
        match self {
            Self::Current(body) => read_current(*body, rules),
            Self::Other(body) => read_other(&body, rules),
        }
    }
}

fn read_other(body: &Value, rules: &Rules) -> Result<Request, NotRead> {
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
    read_current(read_as(body)?, rules)
}

fn read_current(body: FacilitatorRequest, rules: &Rules) -> Result<Request, NotRead> {
    let identifier = identifier::read(&body)?;
    if exact::requirements::is_exact(&body) {
        let request = exact::requirements::read(&body, rules)?;
        return Ok(Request::Exact(Box::new(exact::requirements::Request { identifier, ..request })));
    }
    let payload = read_payload(&body)?;
    Ok(Request::AuthCapture(Box::new(AuthCaptureRequest { body, payload, identifier })))
}

fn version(body: &Value) -> Option<u64> {
    body.get("x402Version").and_then(Value::as_u64)
}

fn read_as<T: DeserializeOwned>(body: &Value) -> Result<T, FieldError> {
    field::read(body)
}
