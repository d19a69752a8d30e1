//! Version 1: the same payments under other names.

use serde_json::{Value, json};

use super::wallet::{assert_refused, buyer, draft, encode, requirements};
use crate::world::{World, keypair};
use solana_sdk::signer::Signer;

/// The body that a server of version 1 sends.
fn body(world: &World, amount: u64) -> Value {
    let requirements = requirements(world, amount);
    let transaction = encode(&draft(world, &requirements, "nonce").signed(world));
    json!({
        "x402Version": 1,
        "paymentPayload": {
            "x402Version": 1,
            "scheme": "exact",
            "network": "solana-devnet",
            "payload": { "transaction": transaction },
        },
        "paymentRequirements": {
            "scheme": "exact",
            "network": "solana-devnet",
            "maxAmountRequired": amount.to_string(),
            "asset": requirements.asset,
            "payTo": requirements.pay_to,
            "resource": "https://merchant.example/report",
            "description": "A report",
            "mimeType": "application/json",
            "outputSchema": null,
            "maxTimeoutSeconds": 60,
            "extra": requirements.extra,
        },
    })
}

#[tokio::test]
async fn a_payment_of_version_1_is_paid_once() {
    let world = World::new().await;
    let body = body(&world, 1000);
    let (_, verdict) = world.post("/verify", &body).await;
    assert_eq!(verdict["isValid"], json!(true), "{verdict}");
    let answer = world.settle(&body).await;
    assert_eq!(answer["success"], json!(true), "{answer}");
    assert_eq!(answer["network"], json!("solana-devnet"));
    assert_eq!(answer["payer"], json!(buyer().pubkey().to_string()));
    assert_eq!(world.received(), 1000);
    let again = world.settle(&body).await;
    assert_eq!(again["errorReason"], json!("duplicate_settlement"), "{again}");
    assert_eq!((world.received(), world.sent()), (1000, 1));
}

/// A payment does not become another one by being shown in the other version.
#[tokio::test]
async fn one_transaction_pays_in_one_version_only() {
    let world = World::new().await;
    let first = body(&world, 1000);
    world.settled(&first).await;
    let requirements = requirements(&world, 1000);
    let payload = first["paymentPayload"]["payload"].clone();
    let again = world.settle(&crate::world::envelope(&requirements, payload)).await;
    assert_eq!(again["errorReason"], json!("duplicate_settlement"), "{again}");
    assert_eq!(world.received(), 1000);
}

#[tokio::test]
async fn the_rules_are_those_of_version_2() {
    let world = World::new().await;
    let good = body(&world, 1000);
    let with = |pointer: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let stranger = keypair(40).pubkey().to_string();
    for (pointer, value, code, reason) in [
        ("/paymentPayload/x402Version", json!(2), "invalid_x402_version", "paymentPayload.x402Version"),
        (
            "/paymentPayload/scheme",
            json!("upto"),
            "invalid_exact_svm_unsupported_scheme",
            "paymentPayload.scheme",
        ),
        (
            "/paymentRequirements/scheme",
            json!("upto"),
            "invalid_exact_svm_unsupported_scheme",
            "paymentRequirements.scheme",
        ),
        (
            "/paymentPayload/network",
            json!("solana"),
            "invalid_exact_svm_network_mismatch",
            "paymentPayload.network",
        ),
        (
            "/paymentRequirements/maxAmountRequired",
            json!("1001"),
            "invalid_exact_svm_payload_amount_mismatch",
            "exactly 1001",
        ),
        (
            "/paymentRequirements/maxAmountRequired",
            json!("999"),
            "invalid_exact_svm_payload_amount_mismatch",
            "exactly 999",
        ),
        (
            "/paymentRequirements/payTo",
            json!(stranger),
            "invalid_exact_svm_payload_recipient_mismatch",
            "associated token account",
        ),
        (
            "/paymentRequirements/asset",
            json!(stranger),
            "invalid_exact_svm_payload_mint_mismatch",
            "asked is",
        ),
        (
            "/paymentRequirements/extra",
            Value::Null,
            "invalid_exact_svm_payload_missing_fee_payer",
            "paymentRequirements.extra.feePayer",
        ),
    ] {
        assert_refused(&world, &with(pointer, value), code, reason).await;
    }
    let mut elsewhere = with("/paymentPayload/network", json!("solana"));
    elsewhere["paymentRequirements"]["network"] = json!("solana");
    assert_refused(&world, &elsewhere, "invalid_network", "\"solana-devnet\", not \"solana\"").await;
}

#[tokio::test]
async fn what_is_no_request_of_version_1_is_named() {
    let world = World::new().await;
    let mut body = body(&world, 1000);
    body["paymentRequirements"].as_object_mut().unwrap().remove("maxAmountRequired");
    for path in ["/verify", "/settle"] {
        let (status, answer) = world.post(path, &body).await;
        assert_eq!(status, 400, "{answer}");
        assert!(answer.to_string().contains("maxAmountRequired"), "{answer}");
    }
}
