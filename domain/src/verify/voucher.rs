//! Whether a voucher pays for one more request: what a payer signed, against the hold and all that it signed before.

use x402_escrow_interface::{Address, fee::maximum_fee, message::Intent};
use x402_escrow_wire::{
    auth_capture::{Commitment, Extra, VoucherPayload},
    error_code::ErrorCode,
    text::{Decimal, Hex32},
};

use super::{Rejection, require};
use crate::{
    identifier::{self, Binding, Identifier},
    payment::Voucher,
    policy::Policy,
    signature::Key,
    stream::Stream,
};

/// What is to be kept of the payload.
pub fn voucher(payload: &VoucherPayload) -> Voucher {
    Voucher { amount: payload.amount.0, fee: payload.fee.0, signature: payload.signature.0 }
}

/// Binds a voucher's id to what was signed for it, which adds `increment` base units, at `now`, unix seconds.
pub fn bind(
    identifier: &Identifier,
    payload: &VoucherPayload,
    intent: &Intent,
    increment: u64,
    now: i64,
) -> Binding {
    identifier.bind(intent.session_key, identifier::hash(&[&payload.signed_bytes()]), increment, now)
}

/// What a request costs by the requirements, in base units.
///
/// # Errors
/// If they are not for a streamed hold.
pub fn request_price(extra: &Extra) -> Result<u64, Rejection> {
    let price = extra.request_price.ok_or_else(|| {
        Rejection::new(
            ErrorCode::VoucherWrongHold,
            "extra.requestPrice: missing: these requirements take no vouchers",
        )
    })?;
    Ok(price.0)
}

/// Checks the first voucher of a hold before anything is held for it.
///
/// # Errors
/// If the hold would be there and the voucher not be accepted.
pub fn check_first(
    payload: &VoucherPayload,
    intent: &Intent,
    extra: &Extra,
    now: i64,
    policy: &Policy,
) -> Result<(), Rejection> {
    let digest = Hex32(intent.digest());
    require(payload.payment_id == digest, ErrorCode::VoucherWrongHold, || {
        format!("payload.voucher.paymentId: must be {digest}, the digest of this intent")
    })?;
    let price = request_price(extra)?;
    require(intent.receiver_authorizer != intent.session_key, ErrorCode::VoucherWrongHold, || {
        "extra.receiverAuthorizer: is the payer's session key, which could take back what it signed"
            .to_owned()
    })?;
    check_signature(payload, &intent.capture_authorizer, Key::new(&intent.capture_authorizer).as_ref())?;
    check_deadline(intent, now, policy)?;
    check_amounts(&voucher(payload), intent, &Before { amount: 0, ends_at: intent.amount }, price)
}

/// Checks that the payment's hold is the streamed one that the requirements ask for, and that its session key signed.
///
/// # Errors
/// If it is another, or the signature is not one that the program would accept.
pub fn check_hold(payload: &VoucherPayload, stream: &Stream, extra: &Extra) -> Result<(), Rejection> {
    let intent = &stream.intent;
    let code = ErrorCode::VoucherWrongHold;
    request_price(extra)?;
    require(intent.capture_authorizer == intent.session_key, code, || {
        "payload.paymentId: this payment's captures are not signed by its session key: it takes no vouchers"
            .to_owned()
    })?;
    require(intent.receiver_authorizer != intent.session_key, code, || {
        "payload.paymentId: the hold's receiver authorizer is its session key, which could take back what it signed"
            .to_owned()
    })?;
    require(Address::from(extra.receiver_authorizer) == intent.receiver_authorizer, code, || {
        format!("extra.receiverAuthorizer: the hold's is {}", intent.receiver_authorizer)
    })?;
    require(extra.resource_hash.0 == intent.resource_hash, code, || {
        format!("extra.resourceHash: the hold is bound to {}", Hex32(intent.resource_hash))
    })?;
    check_signature(payload, &intent.capture_authorizer, stream.capture_key.as_ref())
}

fn check_signature(payload: &VoucherPayload, address: &Address, key: Option<&Key>) -> Result<(), Rejection> {
    let is_signed = key.is_some_and(|key| key.signed(&payload.signed_bytes(), &payload.signature.0));
    require(is_signed, ErrorCode::AuthorizerSignatureInvalid, || {
        format!("the voucher's signature: is not a strict Ed25519 signature by the session key {address}")
    })
}

/// Checks the voucher against the hold and all that was accepted before, of which the last voucher is of `last` base
/// units. `now` is in unix seconds.
///
/// # Errors
/// If it buys nothing, or might not be captured.
pub fn check(
    voucher: &Voucher,
    stream: &Stream,
    last: Option<u64>,
    price: u64,
    commitment: Commitment,
    now: i64,
    policy: &Policy,
) -> Result<(), Rejection> {
    let Stream { authorization, accepted, intent, .. } = stream;
    require(authorization.has_reached(commitment), ErrorCode::VoucherHoldNotFinal, || {
        format!(
            "payload.paymentId: the hold is {}, but must be {}",
            authorization.as_str(),
            commitment.as_str()
        )
    })?;
    let before = Before { amount: stream.before(last), ends_at: accepted.ends_at };
    require(
        before.ends_at > before.amount || voucher.amount <= before.amount,
        ErrorCode::VoucherHoldClosed,
        || {
            format!(
                "payload.paymentId: the hold is used up or closed: it ends at {} base units",
                before.ends_at
            )
        },
    )?;
    check_amounts(voucher, intent, &before, price)?;
    check_deadline(intent, now, policy)
}

fn check_deadline(intent: &Intent, now: i64, policy: &Policy) -> Result<(), Rejection> {
    let until = policy.last_reserved_second(intent.capture_deadline);
    require(now <= until, ErrorCode::VoucherTooLate, || {
        format!(
            "extra.captureDeadline: the hold's is {}, and its last voucher is taken {} seconds before",
            intent.capture_deadline, policy.voucher_margin_seconds
        )
    })
}

/// What was bought before, in base units.
#[derive(Clone, Copy, Debug)]
struct Before {
    amount: u64,
    ends_at: u64,
}

fn check_amounts(voucher: &Voucher, intent: &Intent, before: &Before, price: u64) -> Result<(), Rejection> {
    let Voucher { amount, fee, .. } = *voucher;
    let last = before.amount;
    require(amount != last, ErrorCode::VoucherRepeated, || {
        format!(
            "amount: a voucher of {amount} was accepted before; the next must be of at least {} base units",
            least(last, price)
        )
    })?;
    require(amount > last, ErrorCode::VoucherDecreased, || {
        format!(
            "amount: {amount} is below the last voucher, which is of {last} base units; the amount is cumulative"
        )
    })?;
    require(amount <= before.ends_at, ErrorCode::VoucherAboveHold, || {
        format!("amount: {amount} is above what the hold can come to, {} base units", before.ends_at)
    })?;
    require(amount - last >= price, ErrorCode::VoucherBelowPrice, || {
        format!(
            "amount: the request costs {price} base units, so the voucher must be of at least {}",
            least(last, price)
        )
    })?;
    let maximum_fee = maximum_fee(amount, intent.maximum_fee_bps);
    require(fee <= maximum_fee, ErrorCode::VoucherFee, || {
        format!(
            "fee: {fee} is above {maximum_fee} base units, which is {} basis points of the amount",
            intent.maximum_fee_bps
        )
    })
}

fn least(last: u64, price: u64) -> Decimal {
    Decimal(last.saturating_add(price))
}
