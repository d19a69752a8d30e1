//! A node that does not answer, or lags behind.

use std::time::Duration;

use serde_json::json;
use x402_escrow_wire::auth_capture::Commitment;

use super::short;
use crate::world::World;

#[tokio::test]
async fn a_node_that_stops_answering_delays_and_loses_nothing() {
    let world = World::with(short()).await;
    let id = world.authorize(1000, 1).await;
    world.cluster.state().is_down = true;
    let answer = world.settle(&world.capture(id, 1000, true)).await;
    assert_eq!(
        answer["errorReason"], "unexpected_settle_error",
        "not accepted, so the merchant asks again: {answer}"
    );
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.cluster.state().is_down = false;
    world.settled(&world.capture(id, 1000, true)).await;
    assert_eq!(world.received(), 1000);
}

#[tokio::test]
async fn a_node_that_lags_behind_does_not_end_a_capture() {
    let world = World::with(short()).await;
    let before = world.cluster.state().svm.clone();
    let id = world.authorize(1000, 1).await;
    world.cluster.state().level = Commitment::Finalized;
    world.until(id, |payment| payment["operations"][0]["status"] == "finalized").await;
    world.cluster.state().facts = Some((100, before));
    let body = world.capture(id, 1000, true);
    let answer = world.settle(&body).await;
    assert_eq!(
        (&answer["success"], &answer["extra"]["status"]),
        (&json!(false), &json!("unsettled")),
        "{answer}"
    );
    assert!(answer["errorMessage"].as_str().unwrap().contains("it is stored"), "{answer}");
    world.cluster.state().facts = None;
    world.until(id, |payment| payment["state"] == "ended").await;
    assert_eq!(world.received(), 1000);
}

#[tokio::test]
async fn a_node_that_is_not_at_the_block_of_a_hold_does_not_undo_it() {
    let world = World::with(short()).await;
    let id = world.authorize(1000, 1).await;
    {
        let mut state = world.cluster.state();
        state.landed.clear();
        state.slot -= 1;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.payment(id).await["state"], "authorized");
    world.cluster.state().slot += 1;
    world.until(id, |payment| payment["state"] == "unsettled").await;
}
