//! A purchase, as tests have it.

use serde_json::json;
use x402_escrow_wire::{
    payment::{PaymentPayload, PaymentRequirements},
    purchase::buyer,
    text::{Base58, Decimal, Hex32},
};

use super::{Purchase, Signed, purchase_id};

pub(crate) const NOW: i64 = 1_700_000_000;

/// One that was signed at [`NOW`] for the payment `id`.
pub(crate) fn purchase(id: [u8; 32], vouched: Option<u64>) -> Purchase {
    let accepted = PaymentRequirements {
        scheme: "auth-capture".into(),
        network: "solana:test".into(),
        amount: Decimal(1000),
        asset: Base58([2; 32]),
        pay_to: Base58([3; 32]),
        max_timeout_seconds: 60,
        extra: serde_json::Map::new(),
    };
    let payload = json!({ "nonce": "1" });
    let payment = PaymentPayload { x402_version: 2, resource: None, accepted, payload, extensions: None };
    Purchase {
        id: purchase_id(Hex32(id), vouched),
        key: None,
        state: buyer::Purchase::Signed,
        signed: Signed {
            at: NOW,
            origin: "https://a.test".into(),
            resource_hash: Hex32([4; 32]),
            pay_to: Base58([3; 32]),
            amount: Decimal(1000),
            authorize_by: NOW + 60,
            capture_deadline: NOW + 600,
            payment,
        },
    }
}
