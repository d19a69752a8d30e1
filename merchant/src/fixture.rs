//! A merchant and its facilitator, as tests have them.

mod log;

use std::{path::Path, sync::Arc};

use axum::http::HeaderMap;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Map, json};
use x402_escrow_wire::{
    auth_capture::{Extra, IntentPayload, VoucherPayload},
    payment::{PAYMENT_REQUIRED, PaymentPayload, PaymentRequired},
    text::{Base58, Decimal, Hex32, decode_header},
};

use crate::{
    config::MerchantConfig,
    exchange::Exchange,
    facilitator::{Facilitator, Support},
    record::Record,
    shared::{Clock, Shared},
};

pub(crate) use log::Log;

pub(crate) fn config() -> MerchantConfig {
    MerchantConfig::new(
        "http://facilitator.test".into(),
        "https://shop.test".into(),
        Base58([2; 32]),
        SigningKey::from_bytes(&[7; 32]),
        "state".into(),
    )
}

pub(crate) fn support() -> Support {
    let (program, fee_payer) = (Base58([3; 32]), Base58([4; 32]));
    Support { network: "solana:test".into(), program, fee_payer, tokens: Map::new() }
}

/// A merchant with its record in `folder`, that does nothing by itself.
pub(crate) fn merchant(
    config: MerchantConfig,
    folder: &Path,
    exchange: Exchange,
    clock: Clock,
) -> Arc<Shared> {
    let record = Record::open(folder, clock()).unwrap();
    let base = config.public_url.clone();
    let facilitator = Facilitator::new(config.facilitator.clone(), exchange);
    Arc::new(Shared::new(config, base, support(), facilitator, record, clock))
}

/// A payment for what a challenge asks first, signed by a public test key; of a stream with its first
/// voucher.
pub(crate) fn signed(headers: &HeaderMap, nonce: u64, authorize_by: i64) -> PaymentPayload {
    let challenge: PaymentRequired = decode_header(headers[PAYMENT_REQUIRED].to_str().unwrap()).unwrap();
    let accepted = serde_json::from_value(challenge.accepts[0].clone()).unwrap();
    let extra = Extra::read(&accepted).unwrap();
    let key = SigningKey::from_bytes(&[42; 32]);
    let mut intent = IntentPayload {
        escrow: Base58([1; 32]),
        session_key: Base58(key.verifying_key().to_bytes()),
        incarnation: Base58([3; 32]),
        nonce: Decimal(nonce),
        authorize_by,
        receiver_proof: Vec::new(),
        signature: None,
        voucher: None,
        capture: None,
    };
    let message = intent.intent(&accepted, &extra);
    intent.signature = Some(Base58(key.sign(&message.signed_bytes()).to_bytes()));
    intent.voucher = extra.request_price.map(|price| voucher(Hex32(message.digest()), price.0));
    let payload = json!(intent);
    PaymentPayload { x402_version: 2, resource: None, accepted, payload, extensions: None }
}

/// A voucher whose signature only the verifier would look at.
pub(crate) fn voucher(payment_id: Hex32, amount: u64) -> VoucherPayload {
    VoucherPayload { payment_id, amount: Decimal(amount), fee: Decimal(0), signature: Base58([9; 64]) }
}
