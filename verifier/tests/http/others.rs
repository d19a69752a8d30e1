//! What other relays do with holds: found on chain, and recorded as what it was.

use serde_json::{Value, json};
use x402_escrow_domain::reconcile::Held;
use x402_escrow_verifier::{
    engine::found::{record_refunds, unknown_refunds},
    operator::reconcile::reconcile,
};
use x402_escrow_wire::{
    auth_capture::Commitment,
    text::{Decimal, Hex32},
};

use crate::{
    wait,
    world::{MERCHANT, PAYER, World, keypair},
};

/// A final hold of 1000 that somebody else captured 400 of and ended.
async fn captured_elsewhere() -> (World, Hex32) {
    let world = World::new().await;
    world.cluster.state().level = Commitment::Finalized;
    let id = world.authorize(1000, 1).await;
    world.until(id, |payment| payment["operations"][0]["status"] == "finalized").await;
    world.relay_operation(1, &world.capture(id, 400, true));
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
async fn what_somebody_else_captured_before_the_verifiers_own_smaller_capture_is_known() {
    let world = World::new().await;
    world.cluster.state().level = Commitment::Finalized;
    let id = world.authorize(1000, 1).await;
    world.until(id, |payment| payment["operations"][0]["status"] == "finalized").await;
    world.relay_operation(1, &world.capture(id, 700, false));
    world.settled(&world.capture(id, 400, true)).await;
    let payment = world.until(id, |payment| payment["captured"] == "700").await;
    assert_eq!(sums(&payment), [&json!("ended"), &json!("700"), &json!("300")], "{payment}");
    assert_eq!((world.received(), world.open_holds().await), (700, 0));
}

#[tokio::test]
async fn a_capture_is_cut_to_what_somebody_elses_release_left_of_the_payment() {
    let world = World::new().await;
    world.cluster.state().level = Commitment::Finalized;
    let id = world.authorize(1000, 1).await;
    world.until(id, |payment| payment["operations"][0]["status"] == "finalized").await;
    world.relay_operation(1, &world.void(id, 400));
    world.cluster.state().slot += 1;
    world.settled(&world.capture(id, 700, false)).await;
    assert_eq!(world.received(), 400);
    world.cluster.pass_seconds(601);
    let payment = world.until(id, |payment| payment["captured"] == "400").await;
    assert_eq!(sums(&payment), [&json!("ended"), &json!("400"), &json!("600")], "{payment}");
    world.cluster.pass_seconds(61);
    wait::until("nothing is left to do", async || world.open_holds().await == 0).await;
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

/// A receiver that gives back 300 of 700 by itself, and as much in the name of somebody else's payment.
async fn refunded_elsewhere() -> (World, Hex32) {
    let world = World::new().await;
    world.cluster.state().level = Commitment::Finalized;
    let id = world.authorize(1000, 1).await;
    world.settled(&world.capture(id, 700, true)).await;
    world.until(id, |payment| payment["operations"][1]["status"] == "finalized").await;
    world.relay_deposit(&keypair(MERCHANT), 300, id.0);
    world.relay_deposit(&keypair(PAYER), 50, id.0);
    (world, id)
}

#[tokio::test]
async fn a_refund_that_the_receiver_sent_itself_counts_and_a_deposit_of_another_does_not() {
    let (world, id) = refunded_elsewhere().await;
    let found = unknown_refunds(&world.app, &world.merchant(), None).await.unwrap();
    let (history, refunds) = &found.payments[0];
    assert_eq!((found.payments.len(), history.payment.id, refunds.len()), (1, id.0, 1));
    record_refunds(&world.app, &world.merchant(), None).await.unwrap();
    let payment = world.payment(id).await;
    assert_eq!(payment["refunded"], "300", "{payment}");
    assert_eq!(payment["transactions"][2]["byOthers"], true, "{payment}");

    // Another refund is on top of it, and what is known is not found again.
    world.relay_deposit(&keypair(MERCHANT), 100, id.0);
    record_refunds(&world.app, &world.merchant(), found.newest.as_ref()).await.unwrap();
    record_refunds(&world.app, &world.merchant(), None).await.unwrap();
    assert_eq!(world.payment(id).await["refunded"], "400");
    let (status, draft) = world.post("/refunds", &json!({"paymentId": id, "amount": "500"})).await;
    assert_eq!((status.as_u16(), &draft["returns"]), (200, &json!("100")), "{draft}");
}

#[tokio::test]
async fn books_that_lack_a_refund_are_found_and_repaired() {
    let (mut world, id) = refunded_elsewhere().await;
    let found = reconcile(&world.app, true, false).await.unwrap();
    assert_eq!((&found.refunded, found.is_equal()), (&vec![id], false), "{found}");
    world.crash().await;
    assert_eq!(reconcile(&world.app, true, true).await.unwrap().repaired, [id]);
    assert!(reconcile(&world.app, true, false).await.unwrap().is_equal());
    assert_eq!(world.payment(id).await["refunded"], "300");
}
