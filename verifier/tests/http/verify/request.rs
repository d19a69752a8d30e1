use axum::http::StatusCode;
use serde_json::{Value, json};
use x402_escrow_wire::text::Base58;

use super::{SVM, assert_refused, extra_with};
use crate::world::{World, keypair};

#[tokio::test]
async fn a_sound_payment_is_valid_and_nothing_changes() {
    let world = World::new().await;
    let before = world.everything().await;
    let (status, answer) = world.post("/verify", &world.body(&world.requirements(1000), 1)).await;
    let payer = keypair(1);
    let payer = solana_sdk::signer::Signer::pubkey(&payer).to_string();
    let extra = json!({
        "restsOn": "balance",
        "commitmentAsked": null,
        "commitmentRequired": "processed",
        "commitmentObserved": "confirmed",
        "observedAtSlot": 100,
    });
    assert_eq!(
        (status, answer),
        (StatusCode::OK, json!({ "isValid": true, "payer": payer, "extra": extra }))
    );
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn another_protocol_version_is_refused() {
    let world = World::new().await;
    let good = world.body(&world.requirements(1000), 1);
    for pointer in ["/x402Version", "/paymentPayload/x402Version"] {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = json!(3);
        assert_refused(&world, &body, "invalid_x402_version", "x402Version").await;
    }
    // A version to come may have another shape altogether.
    let body = json!({ "x402Version": 3, "paymentPayload": {}, "paymentRequirements": {} });
    assert_refused(&world, &body, "invalid_x402_version", "versions 1 and 2, not 3").await;
}

#[tokio::test]
async fn what_was_not_accepted_is_refused() {
    let world = World::new().await;
    let good = world.body(&world.requirements(1000), 1);
    let other = keypair(77);
    let other = solana_sdk::signer::Signer::pubkey(&other).to_string();
    for (pointer, value, code) in [
        ("/scheme", json!("exact"), "invalid_scheme"),
        ("/network", json!("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"), "invalid_network"),
        ("/amount", json!("999"), "invalid_payment_requirements"),
        ("/asset", json!(other), "invalid_payment_requirements"),
        ("/payTo", json!(other), "invalid_payment_requirements"),
        ("/maxTimeoutSeconds", json!(61), "invalid_payment_requirements"),
        ("/extra/captureDeadline", json!(world.cluster.now() + 601), "invalid_payment_requirements"),
        ("/extra/unknown", json!(1), "invalid_payment_requirements"),
    ] {
        let mut body = good.clone();
        let accepted = &mut body["paymentPayload"]["accepted"];
        match pointer.strip_prefix("/extra/") {
            Some(name) => accepted["extra"][name] = value,
            None => *accepted.pointer_mut(pointer).unwrap() = value,
        }
        let name = format!("paymentPayload.accepted.{}", pointer[1..].replace('/', "."));
        assert_refused(&world, &body, code, &name).await;
    }
}

#[tokio::test]
async fn another_scheme_or_network_is_refused() {
    let world = World::new().await;
    let mut requirements = world.requirements(1000);
    requirements.scheme = "upto".to_owned();
    assert_refused(&world, &world.body(&requirements, 1), "unsupported_scheme", "scheme").await;
    let mut requirements = world.requirements(1000);
    requirements.network = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp".to_owned();
    assert_refused(&world, &world.body(&requirements, 1), "invalid_network", "network").await;
}

#[tokio::test]
async fn what_extra_must_have_is_checked() {
    let world = World::new().await;
    let other = Base58([7; 32]).to_string();
    for (name, value, code) in [
        ("paymentFlow", json!("upfront"), format!("{SVM}_unsupported_payment_flow")),
        ("program", json!(other), format!("{SVM}_program_mismatch")),
        ("feePayer", json!(other), format!("{SVM}_extra")),
        ("maxFeeBps", json!(10_001), format!("{SVM}_extra")),
        ("captureDeadline", json!(world.cluster.now() + 20), format!("{SVM}_deadlines")),
        ("captureDeadline", json!(world.cluster.now() + 90_000), format!("{SVM}_deadlines")),
    ] {
        let body = world.body(&extra_with(&world, name, value), 1);
        assert_refused(&world, &body, &code, name).await;
    }
    let good = world.body(&world.requirements(1000), 1);
    for name in
        ["program", "feePayer", "captureAuthorizer", "receiverAuthorizer", "captureDeadline", "resourceHash"]
    {
        for value in [None, Some(json!({}))] {
            let mut body = good.clone();
            for pointer in ["/paymentPayload/accepted/extra", "/paymentRequirements/extra"] {
                let extra = body.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
                match &value {
                    Some(value) => extra.insert(name.to_owned(), value.clone()),
                    None => extra.remove(name),
                };
            }
            assert_refused(&world, &body, &format!("{SVM}_extra"), &format!("extra.{name}")).await;
        }
    }
}

#[tokio::test]
async fn an_unreadable_payload_is_refused_by_field() {
    let world = World::new().await;
    let good = world.body(&world.requirements(1000), 1);
    for name in ["escrow", "sessionKey", "incarnation", "nonce", "authorizeBy", "signature"] {
        for value in [Value::Null, json!({}), json!("!")] {
            let mut body = good.clone();
            body["paymentPayload"]["payload"][name] = value;
            assert_refused(&world, &body, "invalid_payload", &format!("paymentPayload.payload.{name}")).await;
        }
    }
    let mut body = good.clone();
    body["paymentPayload"]["payload"]["type"] = json!("charge");
    assert_refused(&world, &body, "invalid_payload", "paymentPayload.payload.type").await;
}

/// The signature covers everything: each field altered after signing makes it another message.
#[tokio::test]
async fn anything_altered_after_signing_is_refused() {
    let world = World::new().await;
    let good = world.body(&world.requirements(1000), 1);
    let key = Base58([7; 32]).to_string();
    let code = format!("{SVM}_signature");
    for (name, value) in [
        ("escrow", json!(key)),
        ("sessionKey", json!(world.merchant().to_string())),
        ("incarnation", json!(key)),
        ("nonce", json!("2")),
        ("authorizeBy", json!(world.cluster.now() + 59)),
        ("signature", json!(Base58([7; 64]))),
    ] {
        let mut body = good.clone();
        body["paymentPayload"]["payload"][name] = value;
        assert_refused(&world, &body, &code, "payload.signature").await;
    }
    for (name, value) in [
        ("amount", json!("1001")),
        ("payTo", json!(world.fee_payer().to_string())),
        ("extra.captureAuthorizer", json!(key)),
        ("extra.receiverAuthorizer", json!(key)),
        ("extra.feeRecipient", json!(key)),
        ("extra.resourceHash", json!("00".repeat(32))),
        ("extra.captureDeadline", json!(world.cluster.now() + 500)),
        ("extra.refundDeadline", json!(world.cluster.now() + 1000)),
    ] {
        let mut body = good.clone();
        for pointer in ["/paymentPayload/accepted", "/paymentRequirements"] {
            let asked = body.pointer_mut(pointer).unwrap();
            match name.strip_prefix("extra.") {
                Some(name) => asked["extra"][name] = value.clone(),
                None => asked[name] = value.clone(),
            }
        }
        assert_refused(&world, &body, &code, "payload.signature").await;
    }
}
