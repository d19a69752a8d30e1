use ed25519_dalek::{Signer, SigningKey};
use serde_json::Value;
use x402_escrow_wire::{
    auth_capture::AUTHORIZATION_FLOW,
    text::{Base58, Decimal},
};

use super::*;
use crate::{
    fixture::{config, support},
    price::Price,
};

const NOW: i64 = 1_700_000_000;

/// Checks a payment for terms of `issued`, altered, at `NOW`.
fn check(issued: i64, alter: impl Fn(&mut PaymentPayload)) -> Result<Accepted, String> {
    let (config, support, price) = (config(), support(), Price::new(1000));
    let terms = |now| Terms {
        config: &config,
        base: "https://shop.test",
        support: &support,
        price: &price,
        url: "https://shop.test/a",
        listing: None,
        resource_hash: [6; 32],
        now,
    };
    let key = SigningKey::from_bytes(&[42; 32]);
    let accepted = terms(issued).requirements();
    let mut intent = IntentPayload {
        escrow: Base58([1; 32]),
        session_key: Base58(key.verifying_key().to_bytes()),
        incarnation: Base58([1; 32]),
        nonce: Decimal(1),
        authorize_by: NOW + 60,
        receiver_proof: Vec::new(),
        signature: None,
        voucher: None,
        capture: None,
    };
    let signed = intent.intent(&accepted, &Extra::read(&accepted).unwrap()).signed_bytes();
    intent.signature = Some(Base58(key.sign(&signed).to_bytes()));
    let mut payment = PaymentPayload {
        x402_version: 2,
        resource: None,
        accepted,
        payload: json!(intent),
        extensions: None,
    };
    alter(&mut payment);
    terms(NOW).check(&payment).map_err(|mismatch| mismatch.message)
}

#[test]
fn payment_on_the_terms_is_accepted_while_the_challenge_is_fresh() {
    assert!(check(NOW, |_| {}).is_ok());
    // Another instance's clock is ahead.
    assert!(check(NOW + CLOCK_TOLERANCE, |_| {}).is_ok());
    assert!(check(NOW - 3600 + MINIMUM_CAPTURE_SECONDS, |_| {}).is_ok());
}

#[test]
fn old_challenge_and_one_from_the_future_are_refused() {
    for issued in [NOW - 3600 + MINIMUM_CAPTURE_SECONDS - 1, NOW + CLOCK_TOLERANCE + 1] {
        assert!(check(issued, |_| {}).unwrap_err().contains("captureDeadline"), "{issued}");
    }
}

#[test]
fn every_altered_term_is_refused_by_name() {
    type Alter = fn(&mut PaymentPayload);
    let cases: [(&str, Alter); 11] = [
        ("x402Version", |payment| payment.x402_version = 1),
        ("accepted.scheme", |payment| payment.accepted.scheme = "exact".into()),
        ("accepted.network", |payment| payment.accepted.network = "solana:other".into()),
        ("accepted.amount", |payment| payment.accepted.amount = Decimal(999)),
        ("accepted.asset", |payment| payment.accepted.asset = Base58([9; 32])),
        ("accepted.payTo", |payment| payment.accepted.pay_to = Base58([9; 32])),
        ("accepted.maxTimeoutSeconds", |payment| payment.accepted.max_timeout_seconds = 1),
        ("payload.nonce", |payment| payment.payload["nonce"] = json!("x")),
        ("payload.signature", |payment| payment.payload["nonce"] = json!("2")),
        ("payload.signature", |payment| payment.payload["signature"] = json!(null)),
        ("payload.type", |payment| {
            payment.payload = json!({"type": "void", "paymentId": Hex32([0; 32]), "amount": "0",
                "signature": Base58([1; 64])});
        }),
    ];
    for (field, alter) in cases {
        let message = check(NOW, alter).unwrap_err();
        assert!(message.starts_with(field), "{field}: {message}");
    }
}

#[test]
fn every_altered_extra_is_refused() {
    let extra = Terms {
        config: &config(),
        base: "https://shop.test",
        support: &support(),
        price: &Price::new(1000),
        url: "",
        listing: None,
        resource_hash: [6; 32],
        now: NOW,
    }
    .requirements()
    .extra;
    for name in extra.keys().filter(|name| *name != "captureDeadline") {
        let other = match &extra[name] {
            Value::Number(_) => json!(1),
            Value::String(text) if text.len() == 64 => json!("00".repeat(32)),
            Value::String(text) if text == AUTHORIZATION_FLOW => json!("escrow"),
            _ => json!(Base58([9; 32])),
        };
        let result = check(NOW, |payment| _ = payment.accepted.extra.insert(name.clone(), other.clone()));
        assert!(result.unwrap_err().contains(name.as_str()), "{name}");
    }
    assert!(
        check(NOW, |payment| _ = payment.accepted.extra.insert("commitment".into(), json!("processed")))
            .is_err()
    );
}
