//! Whether a capture or a void would be carried out: what the merchant signed, against the payment as accepted.

use x402_escrow_interface::{fee::maximum_fee, instruction::Signature};
use x402_escrow_wire::{auth_capture::LifecyclePayload, error_code::ErrorCode, text::Hex32};

use super::{Rejection, require};
use crate::{
    decision::{Begin, Decision},
    payment::{Action, History, HoldTerms, Terms, Voucher},
    signature,
};

/// The action that the payload asks for.
///
/// # Errors
/// If it would end a hold at an amount that its vouchers don't allow.
pub fn action(payload: &LifecyclePayload, history: &History) -> Result<Action, Rejection> {
    Ok(match *payload {
        LifecyclePayload::Capture { amount, fee, last, signature, .. } => {
            Action::Capture { amount: amount.0, fee: fee.0, last, signature: signature.0 }
        }
        LifecyclePayload::Close { amount, signature, .. } => close(amount.0, signature.0, history)?,
        LifecyclePayload::Void { amount, signature, .. } => {
            check_vouchers(amount.0, history)?;
            Action::Void { amount: amount.0, signature: signature.0 }
        }
    })
}

/// Nothing is voided that a voucher has bought: a merchant that served less closes the hold.
fn check_vouchers(amount: u64, history: &History) -> Result<(), Rejection> {
    let vouched = history.voucher.map_or(0, |voucher| voucher.amount);
    require(amount >= vouched, ErrorCode::ReleaseInvalid, || {
        format!(
            "payload.amount: {amount} is below the last voucher, which is of {vouched} base units; \
             close the hold instead"
        )
    })
}

/// Captures out of the last voucher and releases the rest; where that much is captured already, only the rest is left.
fn close(amount: u64, release: Signature, history: &History) -> Result<Action, Rejection> {
    let mut known = history.operations.iter().map(|tracked| tracked.operation.action);
    let closed_at = |action: &Action| matches!(action, Action::Close { amount: at, .. } if *at == amount);
    if let Some(known) = known.find(closed_at) {
        return Ok(known);
    }
    let captured = history.accepted_sums().captured;
    let last = history.voucher.map_or(captured, |voucher| voucher.amount.max(captured));
    require((captured..=last).contains(&amount), ErrorCode::ReleaseInvalid, || {
        format!(
            "payload.amount: must be from {captured} base units, which are captured, to the last voucher, {last}; \
             is {amount}"
        )
    })?;
    Ok(match history.voucher {
        Some(Voucher { amount: bound, fee, signature }) if captured < amount => {
            Action::Close { amount, bound, fee, signature, release }
        }
        _ => Action::Void { amount, signature: release },
    })
}

/// What is held for the payment.
///
/// # Errors
/// If it is none that is held first: to a merchant's signature such a payment is unknown.
pub fn hold(history: &History) -> Result<&HoldTerms, Rejection> {
    if let Terms::Charge(_) = history.payment.terms {
        return Err(Rejection::new(
            ErrorCode::PaymentNotFound,
            "payload.paymentId: the payment is charged at once: nothing is held that could be captured or released",
        ));
    }
    history.hold().ok_or_else(|| unknown_payment(Hex32(history.payment.id)))
}

/// The rejection of what is about a payment that was never accepted here.
pub fn unknown_payment(id: Hex32) -> Rejection {
    Rejection::new(
        ErrorCode::PaymentNotFound,
        format!(
            "payload.paymentId: {id} is not known here; the payment must be settled here before it is captured"
        ),
    )
}

/// Checks that the authorizer named in the intent signed the payload.
///
/// # Errors
/// If the signature is not one that the program would accept.
pub fn check_signature(payload: &LifecyclePayload, history: &History) -> Result<(), Rejection> {
    let intent = &hold(history)?.intent;
    let (role, key, by) = match payload {
        LifecyclePayload::Capture { signature, .. } => ("capture", &intent.capture_authorizer, signature),
        LifecyclePayload::Close { signature, .. } | LifecyclePayload::Void { signature, .. } => {
            ("receiver", &intent.receiver_authorizer, signature)
        }
    };
    require(
        signature::is_valid(key, &payload.signed_bytes(), &by.0),
        ErrorCode::AuthorizerSignatureInvalid,
        || format!("payload.signature: is not a strict Ed25519 signature by the {role} authorizer {key}"),
    )
}

/// What becomes of an action on a payment's hold at `now`, the cluster's time.
///
/// # Errors
/// Like [`check`].
pub fn decide(action: &Action, history: &History, now: i64) -> Result<Decision, Rejection> {
    let equal = history.equal_to(action);
    let alive = equal.filter(|known| !known.came_to_nothing()).or_else(|| history.done_by(action));
    if let Some(known) = alive {
        return Ok(Decision::Before(known.id));
    }
    check(action, history, now)?;
    Ok(Decision::Begin(match (equal, history.unsent_below(action)) {
        (Some(equal), _) => Begin::Again(equal.id),
        (None, Some(lower)) => Begin::Instead(lower.id),
        (None, None) => Begin::New,
    }))
}

/// Checks the action against the payment and all that was accepted before: unless it is done already
/// ([`History::done_by`]). `now` is the cluster's time.
///
/// # Errors
/// If the program would refuse it, or do less than it says.
pub fn check(action: &Action, history: &History, now: i64) -> Result<(), Rejection> {
    match *action {
        Action::Authorize
        | Action::Transfer
        | Action::Charge { .. }
        | Action::Refund { .. }
        | Action::Reclaim => Ok(()),
        Action::Capture { amount, fee, last, .. } => check_capture(amount, fee, last, history, now),
        // The fee was checked with the voucher.
        Action::Close { amount, .. } => check_capture(amount, 0, false, history, now),
        Action::Void { .. } => check_authorized(ErrorCode::ReleaseInvalid, history),
    }
}

fn check_capture(amount: u64, fee: u64, last: bool, history: &History, now: i64) -> Result<(), Rejection> {
    let code = ErrorCode::CaptureInvalid;
    check_authorized(code, history)?;
    let intent = &hold(history)?.intent;
    let sums = history.accepted_sums();
    require(now <= intent.capture_deadline, code, || {
        format!(
            "payload.paymentId: the capture deadline, {} (unix seconds), has passed",
            intent.capture_deadline
        )
    })?;
    require(amount <= sums.ends_at, code, || {
        format!("payload.amount: {amount} is above what the payment can come to, {} base units", sums.ends_at)
    })?;
    require(!last || intent.capture_authorizer == intent.receiver_authorizer, code, || {
        "payload.last: the rest can only be released by the receiver authorizer, and the capture authorizer is \
         another key; capture with last = false, then void"
            .to_owned()
    })?;
    require(amount > sums.captured || (last && amount == sums.captured), code, || {
        format!(
            "payload.amount: must be above the {} base units that are captured already, or be that with last = true",
            sums.captured
        )
    })?;
    let maximum_fee = maximum_fee(amount, intent.maximum_fee_bps);
    require(fee <= maximum_fee, code, || {
        format!(
            "payload.fee: {fee} is above {maximum_fee} base units, which is {} basis points of the amount",
            intent.maximum_fee_bps
        )
    })
}

/// What is to be held is in no block yet, or not any more since that was dropped: it may be soon.
fn check_authorized(code: ErrorCode, history: &History) -> Result<(), Rejection> {
    let authorization = history.authorization();
    let code = if authorization.is_negative() { code } else { ErrorCode::SettlementPending };
    require(authorization.has_landed(), code, || {
        format!("payload.paymentId: the payment is {}; nothing is held for it now", history.state().as_str())
    })
}
