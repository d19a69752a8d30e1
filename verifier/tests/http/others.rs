//! What other relays do with holds: found on chain, and recorded as what it was.

use serde_json::{Value, json};
use x402_escrow_domain::reconcile::Held;
use x402_escrow_verifier::operator::reconcile::reconcile;
use x402_escrow_wire::{
    auth_capture::Commitment,
    text::{Decimal, Hex32},
};

use crate::{wait, world::World};

/// A final hold of 1000 that somebody else captured 400 of and ended.
async fn captured_elsewhere() -> (World, Hex32) {
    let world = World::new().await;
    world.cluster.state().level = Commitment::Finalized;
    let id = world.authorize(1000, 1).await;
    world.until(id, |payment| payment["operations"][0]["status"] == "finalized").await;
    world.relay_capture(1, &world.capture(id, 400, true));
    world.cluster.state().slot += 1;
    (world, id)
}

fn sums(payment: &Value) -> [&Value; 3] {
    [&payment["state"], &payment["captured"], &payment["released"]]
}

#[tokio::test]
async fn a_capture_that_somebody_else_sent_is_done() {
    let (world, id) = captured_elsewhere().await;
    let answer = world.settled(&world.capture(id, 400, true)).await;
    assert_eq!(answer["extra"]["captured"], "400", "{answer}");
    let payment = world.payment(id).await;
    assert_eq!(sums(&payment), [&json!("ended"), &json!("400"), &json!("600")]);
    let transaction = &payment["transactions"][1];
    assert_eq!((&transaction["byOthers"], &transaction["signature"]), (&json!(true), &answer["transaction"]));
    assert_eq!((world.received(), world.sent()), (400, 1));
}

#[tokio::test]
async fn a_capture_above_what_somebody_else_ended_the_hold_at_is_refused_and_what_was_paid_is_known() {
    let (world, id) = captured_elsewhere().await;
    let answer = world.settle(&world.capture(id, 500, false)).await;
    assert!(answer["errorMessage"].as_str().unwrap().contains("somebody else ended it"), "{answer}");
    let payment = world.payment(id).await;
    assert_eq!(sums(&payment), [&json!("ended"), &json!("400"), &json!("600")]);
    let kinds: Vec<_> = payment["operations"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(kinds, ["finalized", "refused", "finalized"], "{payment}");
}

#[tokio::test]
async fn what_somebody_else_captured_and_nobody_asked_for_is_known_after_the_deadline() {
    let (world, id) = captured_elsewhere().await;
    world.cluster.pass_seconds(601);
    let payment = world.until(id, |payment| payment["state"] == "ended").await;
    assert_eq!(sums(&payment), [&json!("ended"), &json!("400"), &json!("600")], "{payment}");
    world.cluster.pass_seconds(61);
    wait::until("nothing is left to do", async || world.open_holds().await == 0).await;
}

#[tokio::test]
async fn a_smaller_capture_and_a_void_after_somebody_elses_capture_are_done() {
    let (world, id) = captured_elsewhere().await;
    world.settled(&world.void(id, 0)).await;
    assert_eq!(sums(&world.payment(id).await), [&json!("ended"), &json!("400"), &json!("600")]);
    let answer = world.settled(&world.capture(id, 300, false)).await;
    assert_eq!(answer["extra"]["alreadySettled"], true, "{answer}");
}

#[tokio::test]
async fn books_that_lack_what_somebody_else_did_are_found_and_repaired() {
    let (mut world, id) = captured_elsewhere().await;
    let second = world.authorize(500, 2).await;
    world.until(second, |payment| payment["operations"][0]["status"] == "finalized").await;
    let found = reconcile(&world.app, false, false).await.unwrap();
    assert_eq!((found.holds, found.differences.len(), found.is_equal()), (2, 1, false), "{found}");
    let held = |captured, left| Some(Held { captured: Decimal(captured), left: Decimal(left) });
    let difference = found.differences[0];
    assert_eq!((difference.payment_id, difference.books, difference.chain), (id, held(0, 1000), None));
    assert_eq!(found.short.len(), 0, "{found}");

    world.crash().await;
    let repaired = reconcile(&world.app, false, true).await.unwrap();
    assert_eq!((repaired.repaired, repaired.differences.len()), (vec![id], 0));
    assert!(reconcile(&world.app, true, false).await.unwrap().is_equal());
    assert_eq!(sums(&world.payment(id).await), [&json!("ended"), &json!("400"), &json!("600")]);
}
