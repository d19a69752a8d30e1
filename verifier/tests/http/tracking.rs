//! Transactions that are lost, or dropped with their block: each is followed until it is final.

mod crash;
mod node;
mod price;

use std::time::Duration;

use serde_json::{Value, json};
use x402_escrow_domain::payment::Attempt;
use x402_escrow_verifier::store::Look;
use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

use crate::{
    wait,
    world::{FUNDS, Options, World},
};

fn short() -> Options {
    Options { settle_timeout: Duration::from_millis(1500), ..Options::default() }
}

async fn pending(world: &World, body: &Value) -> Hex32 {
    let answer = world.settle(body).await;
    assert_eq!(answer["errorReason"], "settlement_pending", "{answer}");
    assert!(!answer["transaction"].as_str().unwrap().is_empty());
    assert_eq!(answer["extra"]["state"], "unsettled");
    world.payment_id(body)
}

#[tokio::test]
async fn a_lost_transaction_is_repeated_as_it_is() {
    let world = World::with(short()).await;
    world.cluster.state().loses_transactions = true;
    let body = world.body(&world.requirements(1000), 1);
    let id = pending(&world, &body).await;
    world.cluster.state().loses_transactions = false;
    world.until(id, |payment| payment["state"] == "authorized").await;
    assert_eq!(world.cluster.distinct_sent(), 1);
    assert_eq!(world.escrow_account().held, 1000);
    world.settled(&body).await;
}

#[tokio::test]
async fn a_transaction_whose_blockhash_died_is_replaced() {
    let world = World::with(short()).await;
    world.cluster.state().loses_transactions = true;
    let body = world.body(&world.requirements(1000), 1);
    let id = pending(&world, &body).await;
    world.cluster.state().loses_transactions = false;
    world.cluster.outlive_blockhash();
    let payment = world.until(id, |payment| payment["state"] == "authorized").await;
    let states: Vec<_> =
        payment["transactions"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(states, ["expired", "confirmed"], "{payment}");
    assert_eq!(world.escrow_account().held, 1000);
}

#[tokio::test]
async fn a_hold_in_a_dropped_block_is_unsettled_again_and_sent_again() {
    let world = World::new().await;
    let fork = world.cluster.state().clone();
    world.cluster.state().level = Commitment::Processed;
    let id = world.authorize(1000, 1).await;
    let held = world.payment(id).await;
    assert_eq!(held["transactions"][0]["slot"], 101);

    world.cluster.drop_blocks_since(fork);
    world.cluster.state().loses_transactions = true;
    let payment = world.until(id, |payment| payment["state"] == "unsettled").await;
    assert_eq!(payment["operations"][0]["status"], "unsettled", "{payment}");
    let transaction = &payment["transactions"][0];
    assert_eq!((&transaction["slot"], &transaction["blockHash"]), (&Value::Null, &Value::Null), "{payment}");
    assert_eq!(world.escrow_account().held, 0);

    world.cluster.state().loses_transactions = false;
    let payment = world.until(id, |payment| payment["state"] == "authorized").await;
    assert_eq!(payment["transactions"].as_array().unwrap().len(), 1, "the same transaction: {payment}");
    assert_eq!(world.escrow_account().held, 1000);
}

#[tokio::test]
async fn hold_and_capture_in_dropped_blocks_come_back_in_order() {
    let world = World::new().await;
    let fork = world.cluster.state().clone();
    let id = world.authorize(1000, 1).await;
    world.settled(&world.capture(id, 700, true)).await;
    assert_eq!(world.received(), 700);

    world.cluster.drop_blocks_since(fork);
    world.cluster.outlive_blockhash();
    assert_eq!((world.received(), world.escrow_account().held), (0, 0));
    let payment = world
        .until(id, |payment| {
            payment["state"] == "ended" && payment["transactions"].as_array().unwrap().len() == 4
        })
        .await;
    assert_eq!((&payment["captured"], &payment["released"]), (&json!("700"), &json!("300")), "{payment}");
    let escrow = world.escrow_account();
    assert_eq!((escrow.balance, escrow.held, world.received()), (FUNDS - 700, 0, 700));
}

#[tokio::test]
async fn a_capture_that_a_new_fork_takes_before_its_hold_is_made_again() {
    let world = World::new().await;
    let fork = world.cluster.state().clone();
    let id = world.authorize(1000, 1).await;
    world.settled(&world.capture(id, 700, true)).await;
    let sent = world.app.store.history(&id.0).await.unwrap().unwrap().operations;
    let [hold, capture] = [0, 1].map(|operation: usize| &sent[operation].attempts[0]);

    world.cluster.drop_blocks_since(fork);
    world.cluster.state().loses_transactions = true;
    world.until(id, |payment| payment["operations"][1]["status"] == "unsettled").await;
    let times = |sent: &Attempt| {
        let state = world.cluster.state();
        state.sent.iter().filter(|signature| **signature == sent.signature).count()
    };
    wait::until("the hold to be repeated", async || times(hold) > 2).await;
    assert_eq!(times(capture), 1, "it waits for the hold");
    world.take(capture).await;
    let payment = world.until(id, |payment| payment["transactions"][1]["status"] == "failed").await;
    assert_eq!(payment["operations"][1]["status"], "unsettled", "{payment}");
    assert_eq!(world.received(), 0);

    world.take(hold).await;
    {
        let mut state = world.cluster.state();
        // With the same blockhash it would be the same transaction.
        state.svm.expire_blockhash();
        state.loses_transactions = false;
        state.level = Commitment::Finalized;
    }
    let payment = world.until(id, |payment| payment["operations"][1]["status"] == "finalized").await;
    assert_eq!((&payment["state"], &payment["captured"]), (&json!("ended"), &json!("700")), "{payment}");
    let escrow = world.escrow_account();
    assert_eq!((escrow.balance, escrow.held, world.received()), (FUNDS - 700, 0, 700));
}

#[tokio::test]
async fn what_is_confirmed_is_followed_closely_only_where_somebody_asks_how_final_it_is() {
    let world = World::with(short()).await;
    let looked_at = async |look| world.app.store.open_operations(look).await.unwrap().rows.len();
    let mut body = world.body(&world.requirements(1000), 1);
    world.settled(&body).await;
    let id = world.payment_id(&body);
    world.until(id, |payment| payment["operations"][0]["status"] == "confirmed").await;
    assert_eq!((looked_at(Look::Awaited).await, looked_at(Look::All).await), (0, 1));
    for requirements in ["/paymentRequirements", "/paymentPayload/accepted"] {
        body.pointer_mut(requirements).unwrap()["extra"]["commitment"] = json!("finalized");
    }
    let asked = world.settle(&body).await;
    assert_eq!(asked["errorReason"], "settlement_pending", "{asked}");
    assert_eq!((looked_at(Look::Awaited).await, looked_at(Look::All).await), (1, 1));
}

#[tokio::test]
async fn what_is_confirmed_is_read_again_once_a_final_block_is_as_far() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    let payment = world.until(id, |payment| payment["operations"][0]["status"] == "confirmed").await;
    let slot = payment["transactions"][0]["slot"].as_u64().unwrap();
    let looked_at = async |look| world.app.store.open_operations(look).await.unwrap().rows.len();
    assert_eq!((looked_at(Look::Awaited).await, looked_at(Look::UpTo(slot - 1)).await), (0, 0));
    assert_eq!((looked_at(Look::UpTo(slot)).await, looked_at(Look::All).await), (1, 1));
}

#[tokio::test]
async fn follows_until_final_and_then_asks_no_more() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    world.until(id, |payment| payment["transactions"][0]["blockHash"].is_string()).await;
    assert_eq!(world.payment(id).await["transactions"][0]["status"], "confirmed");
    world.cluster.state().level = Commitment::Finalized;
    world.until(id, |payment| payment["operations"][0]["status"] == "finalized").await;
    assert!(world.app.store.open_operations(Look::All).await.unwrap().rows.is_empty());
    // A node that has forgotten its history changes nothing about what is final.
    world.cluster.state().landed.clear();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.payment(id).await["state"], "authorized");
}
