//! Which nonces `POST /intents` suggests, and which of the clients' own it takes.

use std::{collections::BTreeSet, time::Duration};

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{
    intents::request,
    wait::PATIENCE,
    world::{Options, World},
};

const NONCE: &str = "invalid_auth_capture_svm_nonce";

/// A request for an intent of 1000 base units.
fn asked(world: &World) -> Value {
    request(world, json!([world.requirements(1000)]))
}

async fn suggested(world: &World) -> u64 {
    let (status, answer) = world.post("/intents", &asked(world)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer["intent"]["nonce"].as_str().unwrap().parse().unwrap()
}

/// The answer to a client that brings its own nonce.
async fn brought(world: &World, nonce: u64) -> (StatusCode, Value) {
    let mut body = asked(world);
    body["nonce"] = json!(nonce.to_string());
    world.post("/intents", &body).await
}

async fn refuse(world: &World, nonce: u64, part: &str) {
    let (status, answer) = brought(world, nonce).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!(NONCE)),
        "{answer}"
    );
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains(part), "{part:?} is not in {answer}");
}

#[tokio::test]
async fn intents_write_nothing() {
    let world = World::new().await;
    // No write at all, of which some would leave the counts as they are: the store takes none now.
    let lock = world.locked().await;
    let answered = tokio::time::timeout(PATIENCE, suggested(&world)).await;
    assert_eq!(answered.unwrap(), 1);
    lock.release().await;
    assert_eq!(world.rows().await, [0, 0, 0]);
}

#[tokio::test]
async fn clients_of_one_session_that_ask_at_once_get_different_nonces_only_a_little_ahead() {
    let world = World::new().await;
    let nonces = futures_util::future::join_all((0..32).map(|_| suggested(&world))).await;
    assert_eq!(BTreeSet::from_iter(nonces), (1..=32).collect());
}

#[tokio::test]
async fn a_nonce_that_the_chain_or_a_promise_uses_is_not_suggested() {
    let options = Options { settle_timeout: Duration::from_millis(1500), ..Options::default() };
    let world = World::with(options).await;
    world.authorize(1000, 900).await;
    world.cluster.state().loses_transactions = true;
    let bodies: Vec<_> = (901..=910).map(|nonce| world.body(&world.requirements(1000), nonce)).collect();
    for answer in futures_util::future::join_all(bodies.iter().map(|body| world.settle(body))).await {
        assert_eq!(answer["errorReason"], "settlement_pending", "{answer}");
    }
    let nonces = futures_util::future::join_all((0..40).map(|_| suggested(&world))).await;
    assert_eq!(BTreeSet::from_iter(nonces), (911..=942).collect());
    refuse(&world, 905, "accepted and is not on chain yet").await;
}

#[tokio::test]
async fn what_nobody_can_use_any_more_is_suggested_again() {
    let options = Options { settle_timeout: Duration::from_millis(50), ..Options::default() };
    let mut world = World::with(options).await;
    world.crash().await;
    let answer = world.settle(&world.body(&world.requirements(1000), 1)).await;
    assert_eq!(answer["extra"]["state"], "refused", "nobody sent it: {answer}");
    assert_eq!(suggested(&world).await, 1);
}

#[tokio::test]
async fn a_client_with_nonces_of_its_own_gets_an_intent_with_the_one_it_brings() {
    let world = World::new().await;
    world.authorize(1000, 2).await;
    for nonce in [1, 3, 1026] {
        let (status, answer) = brought(&world, nonce).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        for of in [&answer["intent"], &answer["unsigned"]["payload"]] {
            assert_eq!(of["nonce"], nonce.to_string(), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_nonce_that_the_session_does_not_take_is_refused() {
    let world = World::new().await;
    refuse(&world, 0, "is 0").await;
    refuse(&world, 1025, "more than 1024 above").await;
    refuse(&world, u64::MAX, "more than 1024 above").await;
    world.authorize(1000, 1024).await;
    world.authorize(1000, 1030).await;
    refuse(&world, 1030, "was used before").await;
    refuse(&world, 5, "more than 1024 behind").await;
    for (nonce, status) in [(json!(1), 400), (json!("x"), 400), (Value::Null, 200)] {
        let mut body = asked(&world);
        body["nonce"] = nonce;
        let (answered, answer) = world.post("/intents", &body).await;
        assert_eq!(answered.as_u16(), status, "{answer}");
        if status == 400 {
            assert_eq!(answer["error"]["field"], "nonce", "{answer}");
        }
    }
}
