//! How an intent of the flow `authorization` is charged: by whose consent, and how much.

use x402_escrow_interface::{
    fee::maximum_fee,
    message::{Intent, PaymentFlow},
};
use x402_escrow_wire::{
    auth_capture::{ChargeCapture, Extra, IntentPayload},
    error_code::ErrorCode,
};

use super::{Rejection, require};
use crate::{payment::Action, signature};

/// Reads how `intent` is charged. `None` of one that is held, and where the server has not said yet how much: it does
/// once the resource ran.
///
/// # Errors
/// If the capture authorizer did not consent to it, or the program would refuse it.
pub fn read(payload: &IntentPayload, intent: &Intent, extra: &Extra) -> Result<Option<Action>, Rejection> {
    let code = ErrorCode::InvalidPayload;
    if intent.flow == PaymentFlow::Escrow {
        require(payload.capture.is_none(), code, || {
            format!(
                "paymentPayload.payload.capture: belongs to the flow \"authorization\", not {:?}; capture the hold once it \
                 is there",
                extra.payment_flow
            )
        })?;
        return Ok(None);
    }
    require(payload.voucher.is_none(), code, || {
        "paymentPayload.payload.voucher: belongs to a streamed hold, and this is charged at once".to_owned()
    })?;
    match &payload.capture {
        Some(capture) => check_capture(capture, intent).map(Some),
        // The intent is the consent.
        None if intent.capture_authorizer == intent.session_key => Ok(Some(in_full(intent))),
        None => Ok(None),
    }
}

/// The charge of all of `intent`, which nobody consented to yet.
pub fn in_full(intent: &Intent) -> Action {
    Action::Charge { amount: intent.amount, fee: 0, last: false, signature: None }
}

/// Refuses to settle what the server has not completed.
pub fn incomplete() -> Rejection {
    Rejection::new(
        ErrorCode::InvalidPayload,
        "paymentPayload.payload.capture: missing field `capture`: a charge carries the capture authorizer's consent to what \
         is charged",
    )
}

fn check_capture(capture: &ChargeCapture, intent: &Intent) -> Result<Action, Rejection> {
    let &ChargeCapture { amount, fee, last, signature: by } = capture;
    let code = ErrorCode::CaptureInvalid;
    let field = "paymentPayload.payload.capture";
    require((1..=intent.amount).contains(&amount.0), code, || {
        format!("{field}.amount: must be from 1 to the intent's {} base units, is {amount}", intent.amount)
    })?;
    let one_key = intent.capture_authorizer == intent.receiver_authorizer;
    require(!last || one_key, code, || {
        format!(
            "{field}.last: the receiver authorizer is another key than the capture authorizer; set it to false"
        )
    })?;
    require(last || amount.0 == intent.amount, code, || {
        format!(
            "{field}.amount: less than the intent's {} base units needs a capture that is the last",
            intent.amount
        )
    })?;
    let maximum_fee = maximum_fee(amount.0, intent.maximum_fee_bps);
    require(fee.0 <= maximum_fee, code, || {
        format!(
            "{field}.fee: {fee} is above {maximum_fee} base units, which is {} basis points of the amount",
            intent.maximum_fee_bps
        )
    })?;
    let signed = capture.capture(intent.digest()).signed_bytes();
    require(
        signature::is_valid(&intent.capture_authorizer, &signed, &by.0),
        ErrorCode::AuthorizerSignatureInvalid,
        || {
            format!(
                "{field}.signature: is not a strict Ed25519 signature by the capture authorizer {}",
                intent.capture_authorizer
            )
        },
    )?;
    Ok(Action::Charge { amount: amount.0, fee: fee.0, last, signature: Some(by.0) })
}
