//! Signs how payments end: by a capture, by a release, or by both at once. No I/O.

use serde_json::{Value, json};
use x402_escrow_interface::message::{Capture, Release};
use x402_escrow_wire::{
    auth_capture::LifecyclePayload,
    text::{Decimal, Hex32},
};

use crate::config::MerchantConfig;

/// Captures `amount` and releases the rest, or releases all if that is 0.
pub(crate) fn capture_or_void(config: &MerchantConfig, payment_id: Hex32, amount: u64) -> Value {
    let intent_digest = payment_id.0;
    json!(if amount > 0 {
        let capture = Capture { intent_digest, amount, fee: 0, last: true };
        LifecyclePayload::Capture {
            payment_id,
            amount: Decimal(amount),
            fee: Decimal(0),
            last: true,
            signature: config.sign(&capture.signed_bytes()),
        }
    } else {
        let release = Release { intent_digest, amount: 0 };
        LifecyclePayload::Void {
            payment_id,
            amount: Decimal(0),
            signature: config.sign(&release.signed_bytes()),
        }
    })
}

/// Has a streamed hold captured up to `amount`, what its vouchers paid, and releases the rest.
pub(crate) fn close(config: &MerchantConfig, payment_id: Hex32, amount: u64) -> Value {
    let release = Release { intent_digest: payment_id.0, amount };
    json!(LifecyclePayload::Close {
        payment_id,
        amount: Decimal(amount),
        signature: config.sign(&release.signed_bytes()),
    })
}
