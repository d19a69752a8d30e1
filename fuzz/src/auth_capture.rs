//! The scheme's payload: an agent's intent or voucher, or a server's capture, close or void.

use serde_json::{Value, to_value};
use x402_escrow_interface::message::{Capture, Release};
use x402_escrow_wire::auth_capture::{LifecyclePayload, Payload};

pub fn run(data: &[u8]) -> bool {
    serde_json::from_slice(data).is_ok_and(|value| read(&value).is_some())
}

/// Reads a payload in both ways, which must agree, and reads again what it is written as.
pub(crate) fn read(value: &Value) -> Option<Payload> {
    let payload = Payload::read(value).ok();
    match Payload::read_field(value) {
        Ok(other) => assert_eq!(Some(other), payload),
        Err(error) => assert!(payload.is_none() && !error.message.is_empty(), "{error}"),
    }
    let payload = payload?;
    let written = match &payload {
        Payload::Intent(intent) => to_value(intent),
        Payload::Voucher(voucher) => {
            assert!(voucher.signed_bytes().starts_with(&Capture::TAG));
            to_value(voucher)
        }
        Payload::Lifecycle(operation) => {
            let tag = match operation {
                LifecyclePayload::Capture { .. } => Capture::TAG,
                LifecyclePayload::Close { .. } | LifecyclePayload::Void { .. } => Release::TAG,
            };
            assert!(operation.signed_bytes().starts_with(&tag));
            to_value(operation)
        }
    };
    let again = Payload::read(&written.expect("a struct with string keys is JSON"));
    assert_eq!(again.expect("what was written can be read"), payload);
    Some(payload)
}
