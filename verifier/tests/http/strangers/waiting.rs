//! Equal `/settle` calls that wait for a final block.

use std::time::Duration;

use axum::http::StatusCode;
use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use serde_json::{Value, json};
use tokio::time::timeout;
use x402_escrow_verifier::engine::limits::{AtOnce, LimitSettings};
use x402_escrow_wire::auth_capture::Commitment;

use super::{assert_limited, attacked, get, post, served};
use crate::world::{Options, World};

/// Blocks are not final.
async fn world(limit: fn(&mut LimitSettings)) -> World {
    let world = World::with(Options { limit, ..Options::default() }).await;
    world.cluster.state().level = Commitment::Processed;
    world
}

/// A payment that is to be final.
fn finally(world: &World, nonce: u64) -> Value {
    let mut requirements = world.requirements(1000);
    requirements.extra.insert("commitment".to_owned(), json!("finalized"));
    world.body(&requirements, nonce)
}

#[tokio::test]
async fn callers_that_wait_take_no_place_from_those_that_are_worked_on() {
    let world = world(|limits| limits.maximum_concurrent_requests = 4).await;
    let body = finally(&world, 1);
    let attack = async {
        let mut waiting = FuturesUnordered::new();
        while waiting.len() < 12 {
            waiting.push(attacked(&world, post("/settle", &body)));
            // Four at a time: more are turned away while those are worked on.
            if let Ok(Some(turned)) = timeout(Duration::from_millis(100), waiting.next()).await {
                assert_eq!(turned.0, StatusCode::SERVICE_UNAVAILABLE, "{turned:?}");
            }
        }
        let answered = timeout(Duration::from_secs(1), waiting.next()).await;
        assert!(answered.is_err(), "all wait: {answered:?}");
        served(&world, get("/supported")).await;
        let honest = world.body(&world.requirements(1000), 2);
        let answer = served(&world, post("/settle", &honest)).await;
        assert_eq!(answer["success"], true, "{answer}");
        world.cluster.state().level = Commitment::Finalized;
        waiting.collect::<Vec<_>>().await
    };
    for (status, _, answer) in attack.await {
        assert_eq!((status, &answer["success"]), (StatusCode::OK, &json!(true)), "{answer}");
    }
}

#[tokio::test]
async fn who_is_one_too_many_is_told_what_is_known_and_when_to_ask_again() {
    let world = world(|limits| limits.waiting_per_payment = 2).await;
    let (body, other) = (finally(&world, 1), finally(&world, 2));
    let attack = join_all((0..10).map(|_| attacked(&world, post("/settle", &body))));
    let honest = async {
        // Who waits for another payment waits as ever.
        let settling = world.request_from(Some(super::honest()), post("/settle", &other));
        let finality = async {
            world.until_rows([2, 2, 2]).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            world.cluster.state().level = Commitment::Finalized;
        };
        tokio::join!(settling, finality).0
    };
    let (answers, (_, _, answer)) = tokio::join!(attack, honest);
    assert_eq!(answer["success"], true, "{answer}");
    let (waited, turned): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|(_, _, answer)| answer["success"] == true);
    assert_eq!((waited.len(), turned.len()), (2, 8));
    for (status, retry_after, answer) in turned {
        assert_eq!((status, retry_after), (StatusCode::OK, Some(1)), "{answer}");
        assert_eq!(answer["errorReason"], "settlement_pending", "{answer}");
        assert_eq!(answer["extra"]["paymentId"], world.payment_id(&body).to_string(), "{answer}");
    }
    // What is decided needs nobody to wait.
    let (_, retry_after, answer) = attacked(&world, post("/settle", &body)).await;
    assert_eq!((retry_after, &answer["success"]), (None, &json!(true)), "{answer}");
    assert_limited(&world, &[("maximum_waiting_per_payment", 8)]).await;
}

#[tokio::test]
async fn an_address_that_waits_for_as_much_as_it_may_keeps_no_other_from_waiting() {
    let world = world(|limits| limits.waiting = AtOnce { per_client: 3, overall: 4 }).await;
    let bodies: Vec<_> = (1..=5).map(|nonce| finally(&world, nonce)).collect();
    let attack = join_all(bodies.iter().map(|body| attacked(&world, post("/settle", body))));
    let honest = async {
        world.until_rows([5, 5, 5]).await;
        let body = world.body(&world.requirements(1000), 6);
        let answer = served(&world, post("/settle", &body)).await;
        world.cluster.state().level = Commitment::Finalized;
        answer
    };
    let (answers, answer) = tokio::join!(attack, honest);
    assert_eq!(answer["success"], true, "{answer}");
    let waited = answers.iter().filter(|(_, _, answer)| answer["success"] == true).count();
    assert_eq!(waited, 3);
    assert_limited(&world, &[("maximum_waiting_per_client", 2)]).await;
}

/// A waiting room that is full of strangers makes honest callers ask again, and accepts what they bring.
#[tokio::test]
async fn who_finds_nowhere_to_wait_is_served_by_asking_again() {
    let world = world(|limits| limits.waiting = AtOnce { per_client: 1, overall: 1 }).await;
    let body = finally(&world, 1);
    let attack = attacked(&world, post("/settle", &body));
    let honest = async {
        world.until_rows([1, 1, 1]).await;
        let body = world.body(&world.requirements(1000), 2);
        let mut answer = served(&world, post("/settle", &body)).await;
        assert_eq!(answer["errorReason"], "settlement_pending", "{answer}");
        for _ in 0..500 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            answer = served(&world, post("/settle", &body)).await;
            if answer["success"] == true {
                break;
            }
        }
        world.cluster.state().level = Commitment::Finalized;
        answer
    };
    let (_, answer) = tokio::join!(attack, honest);
    assert_eq!(answer["success"], true, "{answer}");
}
