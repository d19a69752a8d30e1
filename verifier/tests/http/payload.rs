use axum::http::StatusCode;
use serde_json::{Value, json};
use x402_escrow_wire::{payment::PaymentPayload, text::decode_header};

use crate::world::World;

fn request(world: &World) -> Value {
    let requirements = world.requirements(1000);
    let mut payload = world.payload(&requirements, 1);
    let signature = payload.signature.take();
    let unsigned = json!({ "x402Version": 2, "accepted": requirements, "payload": payload });
    json!({ "unsigned": unsigned, "signature": signature })
}

#[tokio::test]
async fn writes_the_header_that_pays() {
    let world = World::new().await;
    let before = world.everything().await;
    let (status, answer) = world.post("/intents/payload", &request(&world)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(world.everything().await, before);
    assert_eq!(answer["headerName"], "PAYMENT-SIGNATURE");
    let payment: PaymentPayload = decode_header(answer["headerValue"].as_str().unwrap()).unwrap();
    assert_eq!(json!(payment), answer["paymentPayload"]);
    let body = json!({
        "x402Version": 2, "paymentPayload": payment, "paymentRequirements": world.requirements(1000),
    });
    world.settled(&body).await;
}

#[tokio::test]
async fn a_wrong_signature_is_refused() {
    let world = World::new().await;
    let mut body = request(&world);
    body["unsigned"]["payload"]["nonce"] = json!("2");
    let (status, answer) = world.post("/intents/payload", &body).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    assert_eq!(answer["error"]["code"], "invalid_auth_capture_svm_signature");
}

#[tokio::test]
async fn what_this_facilitator_would_not_settle_is_refused() {
    let world = World::new().await;
    for (pointer, value, code) in [
        ("/unsigned/x402Version", json!(1), "invalid_x402_version"),
        ("/unsigned/accepted/scheme", json!("exact"), "unsupported_scheme"),
        ("/unsigned/accepted/network", json!("solana:other"), "invalid_network"),
        (
            "/unsigned/accepted/extra/paymentFlow",
            json!("x"),
            "invalid_auth_capture_svm_unsupported_payment_flow",
        ),
    ] {
        let mut body = request(&world);
        *body.pointer_mut(pointer).unwrap() = value;
        let (status, answer) = world.post("/intents/payload", &body).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!(code)),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_bad_request_names_its_field() {
    let world = World::new().await;
    for (pointer, field) in [
        ("/signature", "signature"),
        ("/unsigned", "unsigned"),
        ("/unsigned/accepted/payTo", "unsigned.accepted.payTo"),
        ("/unsigned/payload/escrow", "unsigned.payload.escrow"),
    ] {
        let mut body = request(&world);
        *body.pointer_mut(pointer).unwrap() = json!("x");
        let (status, answer) = world.post("/intents/payload", &body).await;
        assert_eq!((status, &answer["error"]["field"]), (StatusCode::BAD_REQUEST, &json!(field)), "{answer}");
    }
}
