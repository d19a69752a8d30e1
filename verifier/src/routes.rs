//! HTTP only: reads requests, asks who knows, writes answers.

pub mod events;
pub mod health;
pub mod intents;
pub mod metrics;
pub mod payments;
pub mod settle;
pub mod supported;
pub mod verify;

use x402_escrow_wire::{X402_VERSION, error_code::ErrorCode};

use crate::{body::JsonBody, verify::Rejection};

/// Another protocol version has another shape: says so, instead of which of our fields it lacks.
fn check_version(body: &JsonBody) -> Result<(), Rejection> {
    match body.0.get("x402Version").and_then(serde_json::Value::as_u64) {
        Some(version) if version != X402_VERSION => Err(Rejection::new(
            ErrorCode::InvalidX402Version,
            format!("x402Version: this facilitator speaks version {X402_VERSION}, not {version}"),
        )),
        _ => Ok(()),
    }
}
