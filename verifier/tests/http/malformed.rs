//! What no endpoint understands: a status of 4xx, one shape of body, and nothing changed.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use serde_json::{Value, json};

use crate::world::World;

const PATHS: [&str; 4] = ["/intents", "/intents/payload", "/verify", "/settle"];

fn assert_error(body: &Value, code: &str) {
    assert_eq!(body["error"]["code"], code, "{body}");
    assert!(!body["error"]["message"].as_str().unwrap().is_empty(), "{body}");
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() {
    let world = World::new().await;
    let before = world.everything().await;
    for path in PATHS {
        for body in ["", "{", "nonsense", "{\"a\":1}}"] {
            let (status, answer) = world.post_raw(path, "application/json", body).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {body}");
            assert_error(&answer, "not_json");
        }
    }
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn a_body_of_another_type_is_refused() {
    let world = World::new().await;
    for path in PATHS {
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
            let (status, answer) = world.post_raw(path, content_type, "{}").await;
            assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{path} {content_type}");
            assert_error(&answer, "unsupported_media_type");
        }
        let (status, _) = world.post_raw(path, "application/json; charset=utf-8", "{}").await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "parameters are fine: {path}");
    }
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused() {
    let world = World::new().await;
    let before = world.everything().await;
    let mut body = world.body(&world.requirements(1000), 1);
    body["paymentPayload"]["resource"] = json!({ "url": "x".repeat(64 * 1024) });
    for path in PATHS {
        let (status, answer) = world.post(path, &body).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        assert_error(&answer, "body_too_large");
    }
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn unknown_paths_and_methods_get_json_too() {
    let world = World::new().await;
    let (status, body) = world.get("/nowhere").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_error(&body, "not_found");
    let (status, body) = world.get("/settle").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_error(&body, "method_not_allowed");
    let (status, body) = world.request(Request::delete("/supported").body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_error(&body, "method_not_allowed");
}

/// Every required field of a request to `/verify` and `/settle`, taken away and made unreadable.
#[tokio::test]
async fn a_missing_or_unreadable_field_is_named() {
    let world = World::new().await;
    let before = world.everything().await;
    let good = world.body(&world.requirements(1000), 1);
    for pointer in [
        "/x402Version",
        "/paymentPayload",
        "/paymentPayload/x402Version",
        "/paymentPayload/accepted",
        "/paymentPayload/accepted/amount",
        "/paymentPayload/payload",
        "/paymentRequirements",
        "/paymentRequirements/scheme",
        "/paymentRequirements/network",
        "/paymentRequirements/amount",
        "/paymentRequirements/asset",
        "/paymentRequirements/payTo",
        "/paymentRequirements/maxTimeoutSeconds",
    ] {
        let field = pointer[1..].replace('/', ".");
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let mut missing = good.clone();
        missing.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
        let mut unreadable = good.clone();
        *unreadable.pointer_mut(pointer).unwrap() = json!([true]);
        for path in ["/verify", "/settle"] {
            let (status, answer) = world.post(path, &missing).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path} without {field}: {answer}");
            assert_eq!(answer["error"]["field"], field, "{path} without {field}");
            // A payload is whatever its scheme says: unreadable, it is a verdict.
            if pointer.ends_with("/payload") {
                continue;
            }
            let (status, answer) = world.post(path, &unreadable).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path} with bad {field}: {answer}");
            assert!(
                answer["error"]["field"].as_str().unwrap().starts_with(&field),
                "{path} {field}: {answer}"
            );
        }
    }
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn numbers_and_keys_out_of_range_are_named() {
    let world = World::new().await;
    let good = world.body(&world.requirements(1000), 1);
    for (pointer, bad) in [
        ("/paymentRequirements/amount", json!("-1")),
        ("/paymentRequirements/amount", json!("1.5")),
        ("/paymentRequirements/amount", json!("18446744073709551616")),
        ("/paymentRequirements/amount", json!(1000)),
        ("/paymentRequirements/payTo", json!("not base58!")),
        ("/paymentRequirements/asset", json!("1111")),
        ("/paymentRequirements/maxTimeoutSeconds", json!(-1)),
    ] {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = bad;
        let (status, answer) = world.post("/settle", &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{pointer}: {answer}");
        assert_eq!(answer["error"]["field"], pointer[1..].replace('/', "."), "{answer}");
    }
}

#[tokio::test]
async fn null_means_absent_where_x402_has_a_field_optional() {
    let world = World::new().await;
    let mut requirements = world.requirements(1000);
    for name in ["feeRecipient", "commitment", "refundDeadline", "maxFeeBps", "paymentFlow"] {
        requirements.extra.insert(name.to_owned(), Value::Null);
    }
    let mut body = world.body(&requirements, 1);
    body["paymentPayload"]["resource"] = Value::Null;
    body["paymentPayload"]["extensions"] = Value::Null;
    let (status, answer) = world.post("/verify", &body).await;
    assert_eq!((status, &answer["isValid"]), (StatusCode::OK, &json!(true)), "{answer}");
}
