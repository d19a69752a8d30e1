//! What is asked, whichever version asked it.

use serde_json::{Map, Value};
use x402_escrow_interface::Address;
use x402_escrow_wire::{
    error_code::ErrorCode,
    exact::{Extra, HINTS, MAXIMUM_MEMO_BYTES, Payload, SCHEME},
    facilitator::FacilitatorRequest,
    field,
    payment::PaymentRequirements,
    v1,
};

use crate::{
    identifier::Identifier,
    payment::Resource,
    verify::{Rejection, Rules, require, requirements},
};

/// A payment to verify or to settle.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What the receiver asks for.
    pub requirements: Requirements,
    /// The client's transaction in base64.
    pub transaction: String,
    /// What the client calls its purchase, if anything.
    pub identifier: Option<Identifier>,
    /// The resource that the client names; nobody signed it.
    pub resource: Resource,
}

/// What a receiver asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirements {
    /// The amount in base units, exactly.
    pub amount: u64,
    /// The token.
    pub mint: Address,
    /// Who is paid, at its associated token account.
    pub receiver: Address,
    /// What the scheme needs besides.
    pub extra: Extra,
}

/// Reads a request of version 2.
///
/// # Errors
/// If the client accepted something else, or this facilitator can't settle it.
pub fn read(request: &FacilitatorRequest, rules: &Rules) -> Result<Request, Rejection> {
    requirements::check_version(request.x402_version, "x402Version")?;
    requirements::check_version(request.payment_payload.x402_version, "paymentPayload.x402Version")?;
    let (accepted, asked) = (&request.payment_payload.accepted, &request.payment_requirements);
    check_names(
        [("paymentPayload.accepted.scheme", &accepted.scheme), ("paymentRequirements.scheme", &asked.scheme)],
        [
            ("paymentPayload.accepted.network", &accepted.network),
            ("paymentRequirements.network", &asked.network),
        ],
        &rules.network,
    )?;
    requirements::check_accepted(&without_hints(accepted), &without_hints(asked))?;
    let payload: Payload = field::read(&request.payment_payload.payload).map_err(|error| {
        let message = error.within("paymentPayload.payload").to_string();
        Rejection::new(ErrorCode::InvalidPayload, message)
    })?;
    let requirements = Requirements {
        amount: asked.amount.0,
        mint: asked.asset.into(),
        receiver: asked.pay_to.into(),
        extra: read_extra(&asked.extra, rules)?,
    };
    let resource = Resource::of(request.payment_payload.resource.as_ref());
    Ok(Request { requirements, transaction: payload.transaction, identifier: None, resource })
}

/// Reads a request of version 1.
///
/// # Errors
/// If the payload is for something else, or this facilitator can't settle it.
pub fn read_v1(request: &v1::FacilitatorRequest, rules: &Rules) -> Result<Request, Rejection> {
    let (payload, asked) = (&request.payment_payload, &request.payment_requirements);
    for (field, version) in
        [("x402Version", request.x402_version), ("paymentPayload.x402Version", payload.x402_version)]
    {
        require(version == v1::X402_VERSION, ErrorCode::InvalidX402Version, || {
            format!("{field}: is {version} in a request of version {}", v1::X402_VERSION)
        })?;
    }
    let ours = v1::network_name(&rules.network).ok_or_else(|| {
        Rejection::new(
            ErrorCode::InvalidX402Version,
            format!(
                "x402Version: version 1 has no name for {}, the network of this facilitator",
                rules.network
            ),
        )
    })?;
    check_names(
        [("paymentPayload.scheme", &payload.scheme), ("paymentRequirements.scheme", &asked.scheme)],
        [("paymentPayload.network", &payload.network), ("paymentRequirements.network", &asked.network)],
        ours,
    )?;
    let requirements = Requirements {
        amount: asked.max_amount_required.0,
        mint: asked.asset.into(),
        receiver: asked.pay_to.into(),
        extra: read_extra(&asked.extra, rules)?,
    };
    let (transaction, resource) = (payload.payload.transaction.clone(), Resource::default());
    Ok(Request { requirements, transaction, identifier: None, resource })
}

/// Whether a request of version 2 is of this scheme.
pub fn is_exact(request: &FacilitatorRequest) -> bool {
    request.payment_requirements.scheme == SCHEME
}

fn check_names(
    schemes: [(&str, &String); 2],
    networks: [(&str, &String); 2],
    ours: &str,
) -> Result<(), Rejection> {
    for (field, scheme) in schemes {
        require(scheme == SCHEME, ErrorCode::ExactUnsupportedScheme, || {
            format!("{field}: must be {SCHEME:?}, is {scheme:?}")
        })?;
    }
    let [(client_field, client), (field, network)] = networks;
    require(client == network, ErrorCode::ExactNetworkMismatch, || {
        format!("{client_field}: is {client:?}, but {field} is {network:?}")
    })?;
    require(network == ours, ErrorCode::InvalidNetwork, || {
        format!("{field}: this facilitator settles on {ours:?}, not {network:?}")
    })
}

/// Checks that a new payment may name the fee payer that it names.
///
/// # Errors
/// If that is cut off.
pub fn check_fee_payer(requirements: &Requirements, rules: &Rules) -> Result<(), Rejection> {
    let named = requirements.extra.fee_payer;
    require(rules.serves_fee_payer(&named.into()), ErrorCode::ExactFeePayerNotManaged, || {
        format!(
            "paymentRequirements.extra.feePayer: {named} is cut off, and signs nothing any more; this facilitator's is \
             {} (see GET /supported)",
            rules.fee_payer
        )
    })
}

fn without_hints(requirements: &PaymentRequirements) -> PaymentRequirements {
    let mut requirements = requirements.clone();
    requirements.extra.retain(|name, _| !HINTS.contains(&name.as_str()));
    requirements
}

fn read_extra(extra: &Map<String, Value>, rules: &Rules) -> Result<Extra, Rejection> {
    let mut extra: Extra = field::read(&Value::Object(extra.clone())).map_err(|error| {
        let code = match error.field.as_str() {
            "feePayer" => ErrorCode::ExactFeePayerMissing,
            _ => ErrorCode::InvalidPaymentRequirements,
        };
        Rejection::new(code, error.within("paymentRequirements.extra").to_string())
    })?;
    let ours = rules.fee_payer;
    require(rules.knows_fee_payer(&extra.fee_payer.into()), ErrorCode::ExactFeePayerNotManaged, || {
        format!(
            "paymentRequirements.extra.feePayer: must be {ours}, this facilitator's (see GET /supported), is {}",
            extra.fee_payer
        )
    })?;
    let memo_bytes = extra.memo.as_ref().map_or(0, String::len);
    require(memo_bytes <= MAXIMUM_MEMO_BYTES, ErrorCode::InvalidPaymentRequirements, || {
        format!(
            "paymentRequirements.extra.memo: has {memo_bytes} bytes, and may have at most {MAXIMUM_MEMO_BYTES}"
        )
    })?;
    // Clients take an empty memo for none.
    extra.memo = extra.memo.filter(|memo| !memo.is_empty());
    Ok(extra)
}
