//! Holds that nobody ended.

use std::time::Duration;

use serde_json::json;
use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

use crate::world::{FUNDS, World, envelope};

fn kinds(payment: &serde_json::Value) -> Vec<String> {
    let transactions = payment["transactions"].as_array().unwrap();
    transactions.iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect()
}

/// Waits until nothing is under way: only then is a payment's end for the verifier to decide.
async fn all_final(world: &World, id: Hex32) {
    let is_final = |operation: &serde_json::Value| operation["status"] == "finalized";
    world.until(id, |payment| payment["operations"].as_array().unwrap().iter().all(is_final)).await;
}

#[tokio::test]
async fn a_hold_is_reclaimed_after_its_capture_deadline_and_its_rent_comes_back() {
    let world = World::new().await;
    let lamports = || world.cluster.state().svm.get_balance(&world.fee_payer()).unwrap();
    let before = lamports();
    let id = world.authorize(1000, 1).await;
    world.cluster.state().level = Commitment::Finalized;
    all_final(&world, id).await;
    world.cluster.pass_seconds(600);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.payment(id).await["state"], "authorized", "not before the deadline has passed");

    world.cluster.pass_seconds(1);
    let payment = world.until(id, |payment| payment["state"] == "ended").await;
    assert_eq!(kinds(&payment), ["authorize", "reclaim"], "{payment}");
    assert_eq!((&payment["captured"], &payment["released"]), (&json!("0"), &json!("1000")));
    let escrow = world.escrow_account();
    assert_eq!((escrow.balance, escrow.held), (FUNDS, 0));
    // Two signatures, and 80,000 compute units at a millionth of a lamport each, rounded up, twice.
    assert_eq!(before - lamports(), 2 * (5000 + 1));
}

#[tokio::test]
async fn a_partly_captured_hold_is_reclaimed_and_an_ended_one_left_alone() {
    let world = World::new().await;
    world.cluster.state().level = Commitment::Finalized;
    let partly = world.authorize(1000, 1).await;
    world.settled(&world.capture(partly, 400, false)).await;
    let ended = world.authorize(1000, 2).await;
    world.settled(&world.capture(ended, 400, true)).await;
    all_final(&world, partly).await;
    all_final(&world, ended).await;
    world.cluster.pass_seconds(601);
    let payment = world.until(partly, |payment| payment["state"] == "ended").await;
    assert_eq!((&payment["captured"], &payment["released"]), (&json!("400"), &json!("600")));
    assert_eq!(kinds(&payment), ["authorize", "capture", "reclaim"]);
    assert_eq!(kinds(&world.payment(ended).await), ["authorize", "capture"]);
    assert_eq!((world.escrow_account().held, world.received()), (0, 800));
}

#[tokio::test]
async fn a_hold_kept_for_refunds_is_closed_after_their_deadline() {
    let world = World::new().await;
    world.cluster.state().level = Commitment::Finalized;
    let mut requirements = world.requirements(1000);
    requirements.extra.insert("refundDeadline".to_owned(), json!(world.cluster.now() + 1000));
    let body = envelope(&requirements, json!(world.payload(&requirements, 1)));
    world.settled(&body).await;
    let id = world.payment_id(&body);
    world.settled(&world.capture(id, 1000, true)).await;
    all_final(&world, id).await;
    let open_holds = || world.session_account().open_holds;
    world.cluster.pass_seconds(601);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(open_holds(), 1);
    world.cluster.pass_seconds(400);
    let payment = world.until(id, |payment| kinds(payment).len() == 3).await;
    assert_eq!(kinds(&payment), ["authorize", "capture", "close_hold"]);
    world.until(id, |payment| payment["operations"][2]["status"] == "finalized").await;
    assert_eq!(open_holds(), 0);
}

#[tokio::test]
async fn a_hold_that_somebody_else_ended_is_reported_and_not_tried_for_ever() {
    let world = World::new().await;
    world.cluster.state().level = Commitment::Finalized;
    let id = world.authorize(1000, 1).await;
    all_final(&world, id).await;
    world.remove_hold(1);
    world.cluster.state().slot += 1;
    world.cluster.pass_seconds(601);
    let payment = world.until(id, |payment| payment["operations"][1]["status"] == "refused").await;
    let message = payment["operations"][1]["error"]["message"].as_str().unwrap();
    assert!(message.contains("somebody else ended it"), "{payment}");
    let operations = world.rows().await[1];
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.rows().await[1], operations);
}
