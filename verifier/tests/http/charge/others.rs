//! Charges that others put on chain, or that a fork takes away.

use std::time::Duration;

use serde_json::{Value, json};
use x402_escrow_interface::error::EscrowError;
use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

use super::SVM;
use crate::{
    gather::short,
    wait,
    world::{FUNDS, Options, World},
};

/// A caller waits until its transaction is sent, and not much longer.
fn brief() -> Options {
    Options { settle_timeout: Duration::from_millis(1500), ..Options::default() }
}

/// A charge whose transaction is sent and in no block.
async fn sent(world: &World, body: &Value) -> Hex32 {
    world.cluster.state().loses_transactions = true;
    let answer = world.settle(body).await;
    assert_eq!(answer["errorReason"], "settlement_pending", "{answer}");
    world.payment_id(body)
}

/// Another relay is faster: the verifier's own transaction fails, and what was paid is found in the log.
#[tokio::test]
async fn a_charge_that_another_relay_put_on_chain_is_found() {
    let world = World::with(brief()).await;
    let body = world.charge(1000, 1);
    let id = sent(&world, &body).await;
    world.relay_charge(&body);
    world.cluster.outlive_blockhash();
    world.cluster.state().loses_transactions = false;
    world.cluster.state().level = Commitment::Finalized;
    let payment = world.until(id, |payment| payment["state"] == "paid").await;
    assert_eq!((&payment["captured"], &payment["released"]), (&json!("1000"), &json!("0")), "{payment}");
    let transactions = payment["transactions"].as_array().unwrap();
    assert!(transactions.iter().any(|transaction| transaction["byOthers"] == true), "{payment}");
    let answer = world.settled(&body).await;
    assert_eq!(answer["extra"]["state"], "paid");
    assert_eq!((world.escrow_account().balance, world.received()), (FUNDS - 1000, 1000), "paid once");
}

/// The merchant signed twice, and the other consent won: the books have what was paid.
#[tokio::test]
async fn what_was_paid_by_another_consent_is_what_the_books_say() {
    let world = World::with(brief()).await;
    let body = world.charge(1000, 1);
    let id = sent(&world, &body).await;
    world.relay_charge(&world.complete(world.raw_charge(1000, 1), 400, 0, true));
    world.cluster.outlive_blockhash();
    world.cluster.state().loses_transactions = false;
    world.cluster.state().level = Commitment::Finalized;
    let payment = world.until(id, |payment| payment["state"] == "paid").await;
    assert_eq!((&payment["captured"], &payment["released"]), (&json!("400"), &json!("600")), "{payment}");
    assert_eq!(payment["operations"].as_array().unwrap().len(), 1, "{payment}");
}

/// Another verifier may have charged it, and told its merchant's server yes.
#[tokio::test]
async fn a_charge_that_is_on_chain_already_is_no_yes_to_who_comes_later() {
    let world = World::new().await;
    let body = world.charge(1000, 1);
    world.relay_charge(&body);
    world.cluster.state().level = Commitment::Finalized;
    for _ in 0..2 {
        world.assert_refused(&body, &format!("{SVM}_nonce"), "nonce").await;
    }
    assert_eq!((world.received(), world.rows().await), (1000, [0, 0, 0]));
}

/// It was answered no, since it could not be sent; somebody who had it charged it all the same.
#[tokio::test]
async fn a_charge_that_came_to_nothing_here_and_was_charged_by_another_is_settled() {
    let mut world = World::with(short()).await;
    let body = world.charge(1000, 1);
    world.crash().await;
    assert_eq!(world.settle(&body).await["success"], false, "stored, and not sent");
    world.relay_charge(&body);
    world.restart(brief()).await;
    let answer = world.settle(&body).await;
    assert_eq!(answer["errorReason"], "settlement_pending", "it is not final yet: {answer}");
    world.cluster.state().level = Commitment::Finalized;
    let answer = world.settled(&body).await;
    assert_eq!((&answer["extra"]["state"], &answer["amount"]), (&json!("paid"), &json!("1000")), "{answer}");
    assert_eq!(world.received(), 1000);
}

/// A block in which the nonce is used may be dropped: that it is used is no verdict before a final block says for what.
#[tokio::test]
async fn a_charge_that_failed_for_its_nonce_goes_on_where_nobody_charged_it() {
    let world = World::new().await;
    world.fail_next(0, EscrowError::NonceUsed);
    let body = world.charge(1000, 1);
    // Another transaction has another blockhash.
    let later = async {
        let is_in_a_block = async || !world.cluster.state().landed.is_empty();
        wait::until("the first to be in a block", is_in_a_block).await;
        world.cluster.state().svm.expire_blockhash();
    };
    let (answer, ()) = tokio::join!(world.settled(&body), later);
    assert_eq!((&answer["extra"]["state"], world.received()), (&json!("paid"), 1000), "{answer}");
}

#[tokio::test]
async fn a_charge_that_comes_too_late_is_refused_once_that_is_final() {
    let world = World::with(brief()).await;
    let body = world.charge(1000, 1);
    let id = sent(&world, &body).await;
    world.cluster.pass_seconds(120);
    world.cluster.outlive_blockhash();
    world.cluster.state().loses_transactions = false;
    let payment = world.until(id, |payment| payment["state"] == "refused").await;
    let code = &payment["operations"][0]["error"]["code"];
    assert_eq!(code, "invalid_auth_capture_svm_intent_expired", "{payment}");
    assert_eq!(world.received(), 0);
}

#[tokio::test]
async fn a_charge_in_a_dropped_block_is_unsettled_again_and_paid_once() {
    let world = World::new().await;
    let fork = world.cluster.state().clone();
    world.cluster.state().level = Commitment::Processed;
    let body = world.charge(1000, 1);
    world.settled(&body).await;
    world.cluster.drop_blocks_since(fork);
    world.cluster.state().loses_transactions = true;
    let id = world.payment_id(&body);
    let payment = world.until(id, |payment| payment["state"] == "unsettled").await;
    assert_eq!((&payment["captured"], world.received()), (&json!("0"), 0), "{payment}");
    world.cluster.state().loses_transactions = false;
    world.until(id, |payment| payment["state"] == "paid").await;
    assert_eq!((world.escrow_account().balance, world.received()), (FUNDS - 1000, 1000));
}

/// What is taken up again is what the merchant consents to now.
#[tokio::test]
async fn an_unsent_charge_is_refused_when_nobody_waits_and_can_be_asked_for_again() {
    let mut world = World::with(short()).await;
    let body = world.charge(1000, 1);
    world.crash().await;
    assert_eq!(world.settle(&body).await["success"], false);
    world.restart(Options::default()).await;
    assert_eq!(
        (&world.payment(world.payment_id(&body)).await["state"], world.received()),
        (&json!("refused"), 0)
    );
    world.settled(&world.complete(world.raw_charge(1000, 1), 700, 0, true)).await;
    assert_eq!(world.received(), 700);
}
