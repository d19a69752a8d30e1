use axum::http::StatusCode;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use x402_escrow_interface::resource::resource_hash;
use x402_escrow_wire::{
    auth_capture::{Extra, IntentPayload},
    payment::PaymentRequirements,
};

use crate::world::{FUNDS, METHOD, URL, World};

fn challenge(accepts: Value) -> Value {
    json!({ "x402Version": 2, "error": "Payment required", "resource": { "url": URL }, "accepts": accepts })
}

pub(crate) fn request(world: &World, accepts: Value) -> Value {
    json!({
        "paymentRequired": challenge(accepts),
        "session": { "escrow": world.escrow.to_string(), "sessionKey": world.session_key().to_string() },
        "request": { "method": METHOD, "url": URL },
    })
}

/// An option of another scheme, in a shape that is not ours.
fn exact() -> Value {
    json!({ "scheme": "exact", "network": "eip155:8453", "maxAmountRequired": "1", "payTo": "0x00" })
}

async fn assert_none(world: &World, body: &Value, reason: &str) {
    let before = world.everything().await;
    let (status, answer) = world.post("/intents", body).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    assert_eq!(answer["error"]["code"], "no_acceptable_option");
    let reasons = answer["passedOver"].to_string();
    assert!(reasons.contains(reason), "{reason:?} is not in {reasons}");
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn translates_the_first_option_that_would_settle() {
    let world = World::new().await;
    let requirements = world.requirements(1000);
    let expensive = world.requirements(FUNDS + 1);
    let mut body = request(&world, json!([exact(), expensive, requirements, world.requirements(1)]));
    body["maximumAmount"] = json!("1000");
    let (status, answer) = world.post("/intents", &body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");

    let unsigned = &answer["unsigned"];
    assert_eq!(
        serde_json::from_value::<PaymentRequirements>(unsigned["accepted"].clone()).unwrap(),
        requirements
    );
    assert_eq!(unsigned["payload"]["signature"], Value::Null);
    let payload: IntentPayload = serde_json::from_value(unsigned["payload"].clone()).unwrap();
    let intent = payload.intent(&requirements, &Extra::read(&requirements).unwrap());
    assert_eq!(answer["paymentId"], hex::encode(intent.digest()));
    assert_eq!(answer["signingBytes"]["hex"], hex::encode(intent.signed_bytes()));
    assert_eq!(answer["signingBytes"]["base64"], STANDARD.encode(intent.signed_bytes()));
    assert_eq!(answer["intent"].as_object().unwrap().len(), 16);
    assert_eq!(answer["intent"]["nonce"], "1");
    assert_eq!(
        answer["intent"]["incarnation"],
        bs58::encode(world.session_account().incarnation).into_string()
    );

    let passed_over = answer["passedOver"].as_array().unwrap();
    let indices: Vec<_> = passed_over.iter().map(|option| option["index"].as_u64().unwrap()).collect();
    assert_eq!(indices, [0, 1], "{answer}");
    assert_eq!(passed_over[0]["network"], "eip155:8453");
    assert!(passed_over[1]["reason"].as_str().unwrap().contains("maximumAmount"), "{answer}");
}

#[tokio::test]
async fn the_challenge_can_be_the_header_as_it_came() {
    let world = World::new().await;
    let mut body = request(&world, Value::Null);
    let header = STANDARD.encode(challenge(json!([world.requirements(1000)])).to_string());
    body["paymentRequired"] = json!(header);
    let (status, answer) = world.post("/intents", &body).await;
    assert_eq!((status, &answer["intent"]["amount"]), (StatusCode::OK, &json!("1000")), "{answer}");
}

#[tokio::test]
async fn authorize_by_keeps_within_the_option_the_policy_and_the_capture_deadline() {
    let world = World::new().await;
    let now = world.cluster.now();
    for (timeout, window, expected) in [(60, 600, 60), (3600, 600, 120), (u64::MAX, 600, 120), (90, 40, 40)] {
        let mut requirements = world.requirements(1000);
        requirements.max_timeout_seconds = timeout;
        requirements.extra.insert("captureDeadline".to_owned(), json!(now + window));
        let (_, answer) = world.post("/intents", &request(&world, json!([requirements]))).await;
        let seconds = answer["intent"]["authorizeBy"].as_i64().unwrap() - now;
        assert_eq!(seconds, expected, "{timeout} {window}");
    }
}

#[tokio::test]
async fn an_option_that_would_not_settle_is_passed_over_with_its_reason() {
    let world = World::new().await;
    let with = |name: &str, value: Value| {
        let mut option = json!(world.requirements(1000));
        *option.pointer_mut(name).unwrap() = value;
        option
    };
    let other = bs58::encode([7; 32]).into_string();
    for (option, reason) in [
        (exact(), "unsupported_scheme"),
        (json!(5), "unsupported_scheme"),
        (with("/network", json!("solana:other")), "invalid_network"),
        (with("/amount", json!("x")), "amount"),
        (with("/amount", json!("0")), "above zero"),
        (with("/amount", json!("5000001")), "limit_exceeded"),
        (with("/asset", json!(other)), "unsupported_asset"),
        (with("/payTo", json!(other)), "receiver_token_account"),
        (with("/maxTimeoutSeconds", json!(4)), "intent_expired"),
        (with("/extra/program", json!(other)), "program_mismatch"),
        (with("/extra/feePayer", json!(other)), "feePayer"),
        (with("/extra/paymentFlow", json!("upfront")), "unsupported_payment_flow"),
        (with("/extra/resourceHash", json!(hex::encode(resource_hash("POST", URL, b"")))), "resourceHash"),
        (with("/extra/captureDeadline", json!(1)), "captureDeadline"),
        (with("/extra", json!({})), "extra.program"),
    ] {
        assert_none(&world, &request(&world, json!([option])), reason).await;
    }
    assert_none(&world, &request(&world, json!([])), "[]").await;
    world.revoke_session();
    assert_none(&world, &request(&world, json!([world.requirements(1000)])), "session_revoked").await;
}

#[tokio::test]
async fn the_resource_hash_is_checked_against_the_request_with_its_body() {
    let world = World::new().await;
    let mut requirements = world.requirements(1000);
    let hash = resource_hash("POST", URL, b"question");
    requirements.extra.insert("resourceHash".to_owned(), json!(hex::encode(hash)));
    let mut body = request(&world, json!([requirements]));
    let digest = hex::encode(solana_sdk::hash::hash(b"question").to_bytes());
    body["request"] = json!({ "method": "POST", "url": URL, "bodySha256": digest });
    assert_eq!(world.post("/intents", &body).await.0, StatusCode::OK);
    body["request"]["url"] = json!("https://merchant.example/other");
    assert_none(&world, &body, "extra.resourceHash").await;
    body["request"] = Value::Null;
    assert_eq!(world.post("/intents", &body).await.0, StatusCode::OK, "without a request it is not checked");
}

#[tokio::test]
async fn an_unknown_session_is_told() {
    let world = World::new().await;
    let mut body = request(&world, json!([world.requirements(1000)]));
    body["session"]["sessionKey"] = json!(world.merchant().to_string());
    assert_none(&world, &body, "session_not_found").await;
    body["session"]["escrow"] = json!(world.merchant().to_string());
    assert_none(&world, &body, "escrow_not_found").await;
}

#[tokio::test]
async fn a_bad_request_names_its_field() {
    let world = World::new().await;
    let good = request(&world, json!([world.requirements(1000)]));
    for (pointer, value, field) in [
        ("/paymentRequired", json!(5), "paymentRequired"),
        ("/paymentRequired", json!("%%%"), "paymentRequired"),
        ("/paymentRequired", json!(STANDARD.encode("no json")), "paymentRequired"),
        ("/paymentRequired/x402Version", json!(1), "paymentRequired.x402Version"),
        ("/paymentRequired/accepts", json!({}), "paymentRequired.accepts"),
        ("/paymentRequired/accepts", json!(vec![0; 46]), "paymentRequired.accepts"),
        ("/paymentRequired/resource", json!({}), "paymentRequired.resource.url"),
        ("/session", Value::Null, "session"),
        ("/session/escrow", json!("x"), "session.escrow"),
        ("/session/sessionKey", json!(1), "session.sessionKey"),
        ("/request/method", json!(1), "request.method"),
        ("/request", json!({ "method": "GET", "url": URL, "bodySha256": "00" }), "request.bodySha256"),
    ] {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        let (status, answer) = world.post("/intents", &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{pointer}: {answer}");
        assert_eq!(answer["error"]["field"], field, "{answer}");
    }
    let mut body = good.clone();
    body["maximumAmount"] = json!(1000);
    let (_, answer) = world.post("/intents", &body).await;
    assert_eq!(answer["error"]["field"], "maximumAmount", "amounts are text: {answer}");
}

#[tokio::test]
async fn a_challenge_that_cannot_be_paid_is_counted_by_its_code() {
    let world = World::new().await;
    assert_none(&world, &request(&world, json!([exact()])), "unsupported_scheme").await;
    let counted = crate::metrics::lines(&world, "x402_refusals_total").await;
    assert_eq!(counted, [r#"x402_refusals_total{route="/intents",code="no_acceptable_option"} 1"#]);
}

#[tokio::test]
async fn without_a_node_there_is_no_intent() {
    let world = World::new().await;
    world.cluster.state().is_down = true;
    let (status, answer) = world.post("/intents", &request(&world, json!([world.requirements(1000)]))).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("chain_unavailable"))
    );
}
