//! Signs how payments end: by a capture, by a release, or by both at once. Uses the
//! configuration; no I/O.

use serde_json::{Value, json};
use x402_escrow_interface::message::{Capture, Release};
use x402_escrow_wire::{
    auth_capture::{ChargeCapture, LifecyclePayload},
    text::{Decimal, Hex32},
};

use crate::config::MerchantConfig;

/// Captures `amount` and gives the rest back.
pub(crate) fn capture(config: &MerchantConfig, payment_id: Hex32, amount: u64) -> Value {
    let capture = Capture { intent_digest: payment_id.0, amount, fee: 0, last: true };
    json!(LifecyclePayload::Capture {
        payment_id,
        amount: Decimal(amount),
        fee: Decimal(0),
        last: true,
        signature: config.sign(&capture.signed_bytes()),
    })
}

/// The client's `payload`, completed by the consent to charge `amount` of it.
pub(crate) fn charge(config: &MerchantConfig, payment_id: Hex32, payload: &Value, amount: u64) -> Value {
    let capture = Capture { intent_digest: payment_id.0, amount, fee: 0, last: true };
    let signature = config.sign(&capture.signed_bytes());
    let capture = ChargeCapture { amount: Decimal(amount), fee: Decimal(0), last: true, signature };
    let mut completed = payload.clone();
    if let Value::Object(members) = &mut completed {
        members.insert("capture".to_owned(), json!(capture));
    }
    completed
}

/// Gives all back.
pub(crate) fn void(config: &MerchantConfig, payment_id: Hex32) -> Value {
    let release = Release { intent_digest: payment_id.0, amount: 0 };
    let signature = config.sign(&release.signed_bytes());
    json!(LifecyclePayload::Void { payment_id, amount: Decimal(0), signature })
}

/// Has a streamed hold captured up to `amount`, what its vouchers paid, and gives the rest back.
pub(crate) fn close(config: &MerchantConfig, payment_id: Hex32, amount: u64) -> Value {
    let release = Release { intent_digest: payment_id.0, amount };
    let signature = config.sign(&release.signed_bytes());
    json!(LifecyclePayload::Close { payment_id, amount: Decimal(amount), signature })
}
