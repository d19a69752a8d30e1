//! The header `PAYMENT-SIGNATURE`, which agents send to servers.

use borsh::BorshDeserialize;
use x402_escrow_interface::message::Intent;
use x402_escrow_wire::{
    auth_capture::{Extra, Payload},
    payment::PaymentPayload,
};

use super::{auth_capture, header};

pub fn run(data: &[u8]) -> bool {
    let Some(payment) = header::read::<PaymentPayload>(data) else { return false };
    let Some(payload) = auth_capture::read(&payment.payload) else { return false };
    let Ok(extra) = Extra::read(&payment.accepted) else { return false };
    if let Payload::Intent(payload) = payload {
        let intent = payload.intent(&payment.accepted, &extra);
        let layout = borsh::to_vec(&intent).expect("memory can be written");
        assert_eq!(Intent::try_from_slice(&layout).expect("what was written can be read"), intent);
        assert_eq!((intent.amount, intent.nonce), (payment.accepted.amount.0, payload.nonce.0));
    }
    true
}
