//! `/verify`, and that `/settle` refuses what it refuses, with the same code, and changes nothing.

mod agreement;
mod chain;
mod request;

use axum::http::StatusCode;
use serde_json::Value;
use x402_escrow_wire::payment::PaymentRequirements;

use crate::world::World;

/// Asserts that both endpoints say no with `code` and a message that has `part`, and that nothing changed.
pub(crate) async fn assert_refused(world: &World, body: &Value, code: &str, part: &str) {
    let before = world.everything().await;
    let (status, answer) = world.post("/verify", body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["isValid"], false, "{answer}");
    assert_eq!(answer["invalidReason"], code, "{answer}");
    assert!(answer["invalidMessage"].as_str().unwrap().contains(part), "{part:?} is not in {answer}");
    let answer = world.settle(body).await;
    assert_eq!(answer["success"], false, "{answer}");
    assert_eq!(answer["errorReason"], code, "{answer}");
    assert_eq!(answer["transaction"], "", "{answer}");
    assert_eq!(world.everything().await, before);
}

fn extra_with(world: &World, name: &str, value: Value) -> PaymentRequirements {
    let mut requirements = world.requirements(1000);
    requirements.extra.insert(name.to_owned(), value);
    requirements
}

const SVM: &str = "invalid_auth_capture_svm";
