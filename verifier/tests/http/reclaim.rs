//! Holds that nobody ended.

use std::time::Duration;

use serde_json::json;
use x402_escrow_interface::error::EscrowError;
use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

use crate::world::{FUNDS, Options, World};

fn kinds(payment: &serde_json::Value) -> Vec<String> {
    let transactions = payment["transactions"].as_array().unwrap();
    transactions.iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_hold_is_reclaimed_after_its_capture_deadline_and_its_rent_comes_back() {
    let world = World::new().await;
    let lamports = || world.cluster.state().svm.get_balance(&world.fee_payer()).unwrap();
    let before = lamports();
    let id = world.authorize(1000, 1).await;
    world.cluster.state().level = Commitment::Finalized;
    world.until_final(id).await;
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
    world.until_final(partly).await;
    world.until_final(ended).await;
    world.cluster.pass_seconds(601);
    let payment = world.until(partly, |payment| payment["state"] == "ended").await;
    assert_eq!((&payment["captured"], &payment["released"]), (&json!("400"), &json!("600")));
    assert_eq!(kinds(&payment), ["authorize", "capture", "reclaim"]);
    assert_eq!(kinds(&world.payment(ended).await), ["authorize", "capture"]);
    assert_eq!((world.escrow_account().held, world.received()), (0, 800));
}

#[tokio::test]
async fn promised_refunds_keep_no_hold() {
    let world = World::new().await;
    let lamports = || world.cluster.state().svm.get_balance(&world.fee_payer()).unwrap();
    let before = lamports();
    let mut requirements = world.requirements(1000);
    requirements.extra.insert("refundDeadline".to_owned(), json!(world.cluster.now() + 1000));
    let body = world.body(&requirements, 1);
    world.settled(&body).await;
    world.settled(&world.capture(world.payment_id(&body), 1000, true)).await;
    assert_eq!(world.session_account().open_holds, 0);
    assert_eq!(before - lamports(), 2 * (5000 + 1), "the rent is back");
}

#[tokio::test]
async fn a_reclaim_that_failed_is_made_again() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    world.cluster.state().level = Commitment::Finalized;
    world.until_final(id).await;
    // A leader's clock that is behind.
    world.fail_next(0, EscrowError::CaptureDeadlineNotPassed);
    world.cluster.pass_seconds(601);
    let is_failed = |payment: &serde_json::Value| payment["operations"][1]["status"] == "failed";
    world.until(id, is_failed).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(is_failed(&world.payment(id).await), "not at once");
    world.cluster.outlive_blockhash();
    world.cluster.pass_seconds(60);
    world.until(id, |payment| payment["state"] == "ended").await;
    assert_eq!(world.escrow_account().held, 0);
}

/// A hold that is final, and that somebody else ended.
async fn ended_elsewhere() -> (World, Hex32) {
    let world = World::new().await;
    world.cluster.state().level = Commitment::Finalized;
    let id = world.authorize(1000, 1).await;
    world.until_final(id).await;
    world.remove_hold(1);
    world.cluster.state().slot += 1;
    (world, id)
}

#[tokio::test]
async fn a_hold_that_somebody_else_ended_is_reclaimed_already() {
    let (world, id) = ended_elsewhere().await;
    world.cluster.pass_seconds(601);
    let payment = world.until(id, |payment| payment["state"] == "ended").await;
    assert_eq!(payment["operations"][1]["status"], "finalized", "{payment}");
    assert_eq!(kinds(&payment), ["authorize"], "without a transaction");
    let operations = world.rows().await[1];
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.rows().await[1], operations);
}

#[tokio::test]
async fn a_void_of_a_hold_that_somebody_else_ended_is_done_already() {
    let (world, id) = ended_elsewhere().await;
    let answer = world.settled(&world.void(id, 0)).await;
    assert_eq!(
        (&answer["transaction"], &answer["extra"]["state"]),
        (&json!(""), &json!("ended")),
        "{answer}"
    );
}

/// It may have been captured, or taken back.
#[tokio::test]
async fn a_capture_of_a_hold_that_somebody_else_ended_is_refused_and_not_tried_for_ever() {
    let (world, id) = ended_elsewhere().await;
    let answer = world.settle(&world.capture(id, 400, true)).await;
    let message = answer["errorMessage"].as_str().unwrap();
    assert!(answer["success"] == false && message.contains("somebody else ended it"), "{answer}");
    assert_eq!(world.payment(id).await["operations"][1]["status"], "refused");
}

#[tokio::test]
async fn a_look_that_failed_is_made_again_at_once_and_not_at_the_next_interval() {
    let mut world = World::new().await;
    world.cluster.state().level = Commitment::Finalized;
    let id = world.authorize(1000, 1).await;
    world.until_final(id).await;
    world.crash().await;
    world.cluster.pass_seconds(601);
    world.cluster.state().is_down = true;
    world.restart(Options { review_interval: Duration::from_secs(3600), ..Options::default() }).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.cluster.state().is_down = false;
    world.until(id, |payment| payment["state"] == "ended").await;
}
