//! What a merchant asks for, and whether this facilitator can settle it.

use x402_escrow_interface::Address;
use x402_escrow_wire::{
    X402_VERSION,
    auth_capture::{AUTHORIZATION_FLOW, ESCROW_FLOW, Extra, Level, SCHEME},
    error_code::ErrorCode,
    field,
    payment::PaymentRequirements,
    text::Key,
};

use super::{Rejection, Rules, require};

/// Checks the protocol's version.
///
/// # Errors
/// If it is not 2.
pub fn check_version(version: u64, field: &str) -> Result<(), Rejection> {
    require(version == X402_VERSION, ErrorCode::InvalidX402Version, || {
        format!("{field}: this facilitator speaks version {X402_VERSION}, not {version}")
    })
}

/// Checks that the client accepted what the merchant asks.
///
/// # Errors
/// If it accepted something else.
pub fn check_accepted(
    accepted: &PaymentRequirements,
    requirements: &PaymentRequirements,
) -> Result<(), Rejection> {
    require(accepted.scheme == requirements.scheme, ErrorCode::InvalidScheme, || {
        format!(
            "paymentPayload.accepted.scheme: is {:?}, but paymentRequirements has {:?}",
            accepted.scheme, requirements.scheme
        )
    })?;
    require(accepted.network == requirements.network, ErrorCode::InvalidNetwork, || {
        format!(
            "paymentPayload.accepted.network: is {:?}, but paymentRequirements has {:?}",
            accepted.network, requirements.network
        )
    })?;
    require(accepted == requirements, ErrorCode::InvalidPaymentRequirements, || {
        format!(
            "paymentPayload.accepted.{}: differs from paymentRequirements; they must be equal",
            first_difference(accepted, requirements)
        )
    })
}

fn first_difference(accepted: &PaymentRequirements, requirements: &PaymentRequirements) -> String {
    let members = [
        ("amount", accepted.amount == requirements.amount),
        ("asset", accepted.asset == requirements.asset),
        ("payTo", accepted.pay_to == requirements.pay_to),
        ("maxTimeoutSeconds", accepted.max_timeout_seconds == requirements.max_timeout_seconds),
    ];
    if let Some((name, _)) = members.iter().find(|(_, equal)| !equal) {
        return (*name).to_owned();
    }
    let names = accepted.extra.keys().chain(requirements.extra.keys());
    let differing = names.filter(|name| accepted.extra.get(*name) != requirements.extra.get(*name));
    format!("extra.{}", differing.map(String::as_str).next().unwrap_or_default())
}

/// Checks the scheme.
///
/// # Errors
/// If it is not the one that this facilitator settles.
pub fn check_scheme(requirements: &PaymentRequirements) -> Result<(), Rejection> {
    require(requirements.scheme == SCHEME, ErrorCode::UnsupportedScheme, || {
        format!("scheme: this facilitator settles {SCHEME:?}, not {:?}", requirements.scheme)
    })
}

/// Checks the network.
///
/// # Errors
/// If it is not the one that this facilitator settles on.
pub fn check_network(requirements: &PaymentRequirements, rules: &Rules) -> Result<(), Rejection> {
    require(requirements.network == rules.network, ErrorCode::InvalidNetwork, || {
        format!("network: this facilitator settles on {:?}, not {:?}", rules.network, requirements.network)
    })
}

/// Checks that the requirements ask for the token that the payment is in. The intent does not name it: its escrow does.
///
/// # Errors
/// If they ask for another.
pub fn check_asset(requirements: &PaymentRequirements, mint: &Address) -> Result<(), Rejection> {
    require(Address::from(requirements.asset) == *mint, ErrorCode::AssetMismatch, || {
        format!("asset: the payment is in {mint}, not {}", requirements.asset)
    })
}

/// Checks that the requirements name the payment's receiver.
///
/// # Errors
/// If they name another.
pub fn check_receiver(requirements: &PaymentRequirements, receiver: &Address) -> Result<(), Rejection> {
    require(Address::from(requirements.pay_to) == *receiver, ErrorCode::InvalidPaymentRequirements, || {
        format!("payTo: the payment is for {receiver}, not {}", requirements.pay_to)
    })
}

/// Reads how sure the merchant asks an operation to be. Of a server's payload nothing else in `extra` counts.
///
/// # Errors
/// If it names no level.
pub fn read_commitment(requirements: &PaymentRequirements) -> Result<Option<Level>, Rejection> {
    let Some(value) = requirements.extra.get("commitment") else { return Ok(None) };
    field::read(value).map_err(|error| {
        Rejection::new(ErrorCode::InvalidExtra, format!("extra.commitment: {}", error.message))
    })
}

/// Checks that this facilitator can settle the requirements, and reads the scheme's part of them.
///
/// # Errors
/// If it can't; the message names the field, relative to the requirements.
pub fn check(requirements: &PaymentRequirements, rules: &Rules) -> Result<Extra, Rejection> {
    check_scheme(requirements)?;
    check_network(requirements, rules)?;
    let extra: Extra = field::read_object(&requirements.extra)
        .map_err(|error| Rejection::new(ErrorCode::InvalidExtra, error.within("extra").to_string()))?;
    require(extra.flow().is_some(), ErrorCode::UnsupportedPaymentFlow, || {
        format!(
            "extra.paymentFlow: this facilitator settles {ESCROW_FLOW:?} and {AUTHORIZATION_FLOW:?}, not {:?}",
            extra.payment_flow
        )
    })?;
    require(extra.program == Key::from(rules.program), ErrorCode::ProgramMismatch, || {
        format!(
            "extra.program: must be {}, the escrow program that this facilitator settles with",
            rules.program
        )
    })?;
    require(rules.knows_fee_payer(&extra.fee_payer.into()), ErrorCode::InvalidExtra, || {
        format!("extra.feePayer: must be {}, this facilitator's (see GET /supported)", rules.fee_payer)
    })?;
    extra
        .check_flow()
        .map_err(|error| Rejection::new(ErrorCode::InvalidExtra, error.within("extra").to_string()))?;
    Ok(extra)
}

/// Checks that a new payment may name the fee payer that it names.
///
/// # Errors
/// If that is cut off.
pub fn check_fee_payer(extra: &Extra, rules: &Rules) -> Result<(), Rejection> {
    require(rules.serves_fee_payer(&extra.fee_payer.into()), ErrorCode::InvalidExtra, || {
        format!(
            "extra.feePayer: {} is cut off, and signs nothing any more; this facilitator's is {} (see GET /supported)",
            extra.fee_payer, rules.fee_payer
        )
    })
}
