//! What is asked, broken: version, scheme, network, and what the client accepted.

use serde_json::{Value, json};

use super::wallet::{assert_refused, body, draft, payment, requirements};
use crate::world::World;

const TESTNET: &str = "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z";

/// Puts a value at a JSON pointer of a good payment's body, on both sides if it starts with `/both`.
fn with(world: &World, pointer: &str, value: Value) -> Value {
    let mut body = payment(world, 1000, "nonce");
    let targets = match pointer.strip_prefix("/both") {
        Some(rest) => vec![format!("/paymentPayload/accepted{rest}"), format!("/paymentRequirements{rest}")],
        None => vec![pointer.to_owned()],
    };
    for target in targets {
        let (parent, name) = target.rsplit_once('/').unwrap();
        let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match &value {
            Value::Null => parent.remove(name),
            value => parent.insert(name.to_owned(), value.clone()),
        };
    }
    body
}

#[tokio::test]
async fn version_scheme_and_network_are_this_facilitators() {
    let world = World::new().await;
    for (pointer, value, code, reason) in [
        ("/x402Version", json!(3), "invalid_x402_version", "versions 1 and 2, not 3"),
        ("/paymentPayload/x402Version", json!(1), "invalid_x402_version", "paymentPayload.x402Version"),
        (
            "/paymentPayload/accepted/scheme",
            json!("auth-capture"),
            "invalid_exact_svm_unsupported_scheme",
            "paymentPayload.accepted.scheme: must be \"exact\"",
        ),
        (
            "/paymentPayload/accepted/network",
            json!(TESTNET),
            "invalid_exact_svm_network_mismatch",
            "paymentPayload.accepted.network",
        ),
        ("/both/network", json!(TESTNET), "invalid_network", "paymentRequirements.network"),
    ] {
        assert_refused(&world, &with(&world, pointer, value), code, reason).await;
    }
}

#[tokio::test]
async fn the_client_accepted_what_is_asked() {
    let world = World::new().await;
    let other = world.fee_payer().to_string();
    for (name, value) in [
        ("amount", json!("999")),
        ("asset", json!(other)),
        ("payTo", json!(other)),
        ("maxTimeoutSeconds", json!(61)),
        ("extra", json!({ "feePayer": other, "memo": "other" })),
    ] {
        let body = with(&world, &format!("/paymentPayload/accepted/{name}"), value);
        assert_refused(&world, &body, "invalid_payment_requirements", name).await;
    }
}

#[tokio::test]
async fn the_fee_payer_and_the_memo_are_named_rightly() {
    let world = World::new().await;
    let merchant = world.merchant().to_string();
    let missing = "invalid_exact_svm_payload_missing_fee_payer";
    for (pointer, value, code, reason) in [
        ("/both/extra/feePayer", Value::Null, missing, "paymentRequirements.extra.feePayer"),
        ("/both/extra/feePayer", json!("me"), missing, "paymentRequirements.extra.feePayer"),
        (
            "/both/extra/feePayer",
            json!(merchant),
            "invalid_exact_svm_fee_payer_not_managed_by_facilitator",
            "GET /supported",
        ),
        ("/both/extra/memo", json!("m".repeat(257)), "invalid_payment_requirements", "has 257 bytes"),
        ("/both/extra/memo", json!(5), "invalid_payment_requirements", "paymentRequirements.extra.memo"),
        (
            "/both/extra/commitment",
            json!("soon"),
            "invalid_payment_requirements",
            "paymentRequirements.extra.commitment",
        ),
    ] {
        assert_refused(&world, &with(&world, pointer, value), code, reason).await;
    }
}

/// A server may offer another blockhash with each challenge.
#[tokio::test]
async fn hints_and_empty_memos_bind_nobody() {
    let world = World::new().await;
    let mut asked = requirements(&world, 1000);
    asked.extra.insert("recentBlockhash".to_owned(), json!("one"));
    asked.extra.insert("memo".to_owned(), json!(""));
    let mut body = body(&asked, &draft(&world, &asked, "nonce").signed(&world));
    body["paymentRequirements"]["extra"]["recentBlockhash"] = json!("another");
    body["paymentRequirements"]["extra"]["lastValidBlockHeight"] = json!(7);
    world.settled(&body).await;
    assert_eq!(world.received(), 1000);
}
