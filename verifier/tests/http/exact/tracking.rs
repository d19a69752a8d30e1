//! What becomes of a signed transaction: lost, dropped with its block, and over a crash.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

use super::wallet::{buyers_tokens, payment, payment_id};
use crate::{
    subscriber::statements_of,
    world::{Options, World},
};

fn short() -> Options {
    Options { settle_timeout: Duration::from_millis(300), ..Options::default() }
}

async fn pending(world: &World, body: &Value) -> Hex32 {
    let answer = world.settle(body).await;
    assert_eq!(answer["errorReason"], json!("settlement_pending"), "{answer}");
    assert!(!answer["transaction"].as_str().unwrap().is_empty(), "{answer}");
    assert!(!answer["network"].as_str().unwrap().is_empty(), "{answer}");
    payment_id(body)
}

#[tokio::test]
async fn a_lost_transaction_is_repeated_as_it_is_and_the_next_caller_is_told_yes() {
    let world = World::with(short()).await;
    world.cluster.state().loses_transactions = true;
    let body = payment(&world, 1000, "nonce");
    let id = pending(&world, &body).await;
    // Asked again, it is the same transaction.
    pending(&world, &body).await;
    world.cluster.state().loses_transactions = false;
    world.until(id, |payment| payment["status"] == "confirmed").await;
    world.settled(&body).await;
    assert_eq!((world.cluster.distinct_sent(), world.received()), (1, 1000));
}

#[tokio::test]
async fn a_caller_reads_nothing_while_its_transaction_is_in_no_block() {
    let world = World::with(short()).await;
    world.cluster.state().loses_transactions = true;
    let statements = statements_of(world.settle(&payment(&world, 1000, "nonce"))).await;
    let reads = statements.iter().filter(|statement| statement.text.starts_with("SELECT * FROM payments"));
    // Before it is accepted, and when the time is over.
    assert_eq!(reads.count(), 2, "{statements:#?}");
}

#[tokio::test]
async fn a_crash_between_signing_and_sending_loses_nothing() {
    let mut world = World::with(short()).await;
    world.cluster.state().loses_transactions = true;
    let body = payment(&world, 1000, "nonce");
    let id = pending(&world, &body).await;
    world.crash().await;
    world.cluster.state().loses_transactions = false;
    assert_eq!(world.received(), 0);
    world.restart(short()).await;
    world.until(id, |payment| payment["status"] == "confirmed").await;
    world.settled(&body).await;
    assert_eq!((world.cluster.distinct_sent(), world.received(), world.exact_rows().await), (1, 1000, 1));
}

#[tokio::test]
async fn nothing_is_left_to_do_with_a_final_transfer() {
    let world = World::new().await;
    let body = payment(&world, 1000, "nonce");
    world.settled(&body).await;
    assert_eq!(world.open_holds().await, 1);
    world.cluster.state().level = Commitment::Finalized;
    world.until(payment_id(&body), |payment| payment["status"] == "finalized").await;
    assert_eq!(world.open_holds().await, 0);
}

/// The memory of the process is gone; what was told is on disk.
#[tokio::test]
async fn a_payment_counts_once_across_a_restart() {
    let mut world = World::new().await;
    let body = payment(&world, 1000, "nonce");
    world.settled(&body).await;
    world.restart(Options::default()).await;
    let again = world.settle(&body).await;
    assert_eq!(again["errorReason"], json!("duplicate_settlement"), "{again}");
    assert_eq!(world.received(), 1000);
}

#[tokio::test]
async fn an_expired_transaction_came_to_nothing_for_good() {
    let world = World::with(short()).await;
    let tokens = buyers_tokens(&world);
    world.cluster.state().loses_transactions = true;
    let body = payment(&world, 1000, "nonce");
    let id = pending(&world, &body).await;
    world.cluster.outlive_blockhash();
    // One block past the last that can have it is not enough: the node may be behind.
    world.cluster.state().block_height += 150;
    let report = world.until(id, |payment| payment["status"] == "expired").await;
    assert_eq!(report["claimed"], json!(false));
    world.cluster.state().loses_transactions = false;
    for _ in 0..2 {
        let answer = world.settle(&body).await;
        assert_eq!(answer["errorReason"], json!("invalid_exact_svm_transaction_failed"), "{answer}");
        assert!(answer["errorMessage"].as_str().unwrap().contains("expired"), "{answer}");
    }
    assert_eq!((world.received(), buyers_tokens(&world)), (0, tokens));
    // A verifier takes the tip of at most a second ago: no cluster makes 300 blocks in that time.
    sleep(Duration::from_secs(1)).await;
    world.settled(&payment(&world, 1000, "another")).await;
    assert_eq!(world.received(), 1000);
}

#[tokio::test]
async fn a_payment_in_a_dropped_block_is_unsettled_again_and_sent_again() {
    let world = World::with(short()).await;
    let fork = world.cluster.state().clone();
    world.cluster.state().level = Commitment::Processed;
    let body = payment(&world, 1000, "nonce");
    let id = pending(&world, &body).await;
    world.until(id, |payment| payment["status"] == "processed").await;
    world.cluster.drop_blocks_since(fork);
    world.cluster.state().loses_transactions = true;
    world.until(id, |payment| payment["status"] == "unsettled").await;
    assert_eq!(world.received(), 0);
    world.cluster.state().loses_transactions = false;
    world.until(id, |payment| payment["status"] == "confirmed").await;
    world.settled(&body).await;
    assert_eq!((world.received(), world.cluster.distinct_sent()), (1000, 1));
}

#[tokio::test]
async fn a_node_that_is_down_is_no_verdict() {
    let world = World::with(short()).await;
    let body = payment(&world, 1000, "nonce");
    world.cluster.state().is_down = true;
    let (_, verdict) = world.post("/verify", &body).await;
    assert_eq!(verdict["invalidReason"], json!("unexpected_verify_error"), "{verdict}");
    let answer = world.settle(&body).await;
    assert_eq!(answer["errorReason"], json!("unexpected_settle_error"), "{answer}");
    assert_eq!(world.exact_rows().await, 0);
    world.cluster.state().is_down = false;
    world.settled(&body).await;
}
