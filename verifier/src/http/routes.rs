//! HTTP only: reads requests, asks who knows, writes answers.

pub mod events;
pub mod intents;
pub mod openapi;
pub mod payments;
pub mod refunds;
pub mod settle;
pub mod supported;
pub mod verify;

use x402_escrow_wire::{X402_VERSION, error_code::ErrorCode, facilitator::FacilitatorRequest, v1};

use crate::http::{body::JsonBody, error::ApiError};
use x402_escrow_domain::{
    identifier::{self, Identifier},
    verify::{Facilitator, Rejection},
};

/// What a body of `/verify` or `/settle` is about.
enum Asked {
    /// The scheme `auth-capture`, and those that nobody settles here.
    AuthCapture(Box<FacilitatorRequest>, Option<Identifier>),
    /// The scheme `exact`, whichever version asked.
    Exact(x402_escrow_domain::exact::requirements::Request),
}

/// Reads a body by its version and scheme.
fn read(body: &JsonBody, facilitator: &Facilitator) -> Result<Result<Asked, Rejection>, ApiError> {
    // Another protocol version has another shape: say so, instead of which of our fields it lacks.
    match body.0.get("x402Version").and_then(serde_json::Value::as_u64) {
        Some(v1::X402_VERSION) => {
            let request = body.read()?;
            Ok(x402_escrow_domain::exact::requirements::read_v1(&request, facilitator).map(Asked::Exact))
        }
        Some(version) if version != X402_VERSION => Ok(Err(Rejection::new(
            ErrorCode::InvalidX402Version,
            format!(
                "x402Version: this facilitator speaks versions {} and {X402_VERSION}, not {version}",
                v1::X402_VERSION
            ),
        ))),
        _ => {
            let request: FacilitatorRequest = body.read()?;
            let identifier = identifier::read(&request).map_err(ApiError::bad_field)?;
            Ok(if x402_escrow_domain::exact::requirements::is_exact(&request) {
                x402_escrow_domain::exact::requirements::read(&request, facilitator).map(|request| {
                    Asked::Exact(x402_escrow_domain::exact::requirements::Request { identifier, ..request })
                })
            } else {
                Ok(Asked::AuthCapture(Box::new(request), identifier))
            })
        }
    }
}

/// The network as the body's version calls it.
fn network<'a>(body: &JsonBody, facilitator: &'a Facilitator) -> &'a str {
    let is_v1 = body.0.get("x402Version").and_then(serde_json::Value::as_u64) == Some(v1::X402_VERSION);
    let name = v1::network_name(&facilitator.network).filter(|_| is_v1);
    name.unwrap_or(&facilitator.network)
}
