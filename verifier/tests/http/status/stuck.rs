//! Stuck payments on the page, and those that came to nothing.

use std::time::Duration;

use serde_json::Value;
use solana_sdk::transaction::TransactionError;
use x402_escrow_wire::auth_capture::Commitment;

use super::{assert_says, authorize_for, section, shown};
use crate::{
    exact::wallet,
    world::{Options, World},
};

#[tokio::test]
async fn what_no_block_takes_is_stuck_once_it_is_late_and_what_to_do_is_said() {
    let world =
        World::with(Options { settle_timeout: Duration::from_millis(300), ..Options::default() }).await;
    let id = authorize_for(&world, 1_000_000, 7200).await;
    world.cluster.state().loses_transactions = true;
    world.settle(&world.capture(id, 250_000, false)).await;
    // The hold's transaction, and the capture's.
    world.until(id, |payment| payment["transactions"].as_array().unwrap().len() == 2).await;
    world.settle(&wallet::payment(&world, 5_000, "memo")).await;
    let before = section(&shown(&world, "/status").await, "stuck");
    assert_says(&before, &["Nothing. The verifier is well"]);
    world.backdate_operations(121).await;
    world.backdate_payments(121).await;
    let page = shown(&world, "/status").await;
    let stuck = section(&page, "stuck");
    assert_says(
        &stuck,
        &[
            "Capture not in a block",
            "0.25 ",
            "no block has it yet",
            "sends it again until the capture deadline",
        ],
    );
    assert_says(&stuck, &["Payment not in a block", "0.005 ", "Serve nothing for it yet", "2 min"]);
    assert_says(&section(&page, "sums"), &["Being captured now 0.25 ", "Promised now 0.005 "]);
}

#[tokio::test]
async fn a_hold_near_its_deadline_is_stuck_until_its_capture_is_asked_for() {
    let world = World::new().await;
    let id = authorize_for(&world, 1_000_000, 300).await;
    world.authorize(5_000, 2).await;
    let stuck = section(&shown(&world, "/status").await, "stuck");
    assert_says(&stuck, &["Nothing. The verifier is well"]);
    // As if both had been accepted long enough ago that half of their time is over.
    world.backdate_payments(700).await;
    let stuck = section(&shown(&world, "/status").await, "stuck");
    assert_says(
        &stuck,
        &[
            "Hold near its deadline, and not captured",
            "1 1000000 base units",
            " left",
            "goes back to the payer",
        ],
    );
    assert!(
        stuck.find("1000000").unwrap() < stuck.find("5000 base").unwrap(),
        "the nearer deadline first: {stuck}"
    );
    world.settled(&world.capture(id, 1_000_000, true)).await;
    let stuck = section(&shown(&world, "/status").await, "stuck");
    assert!(!stuck.contains("1000000"), "{stuck}");
}

#[tokio::test]
async fn an_unconfirmed_capture_near_its_deadline_comes_first() {
    let world =
        World::with(Options { settle_timeout: Duration::from_millis(300), ..Options::default() }).await;
    let id = world.authorize(1_000_000, 1).await;
    world.cluster.state().loses_transactions = true;
    world.settle(&world.capture(id, 250_000, true)).await;
    world.backdate_operations(20).await;
    let stuck = section(&shown(&world, "/status").await, "stuck");
    assert_says(&stuck, &["Capture near its deadline, and not confirmed", "0.25 ", " left"]);
}

#[tokio::test]
async fn what_came_to_nothing_is_listed_with_the_reason() {
    let world =
        World::with(Options { settle_timeout: Duration::from_millis(300), ..Options::default() }).await;
    // For good: otherwise it would be tried again.
    world.cluster.state().level = Commitment::Finalized;
    world.cluster.state().next_error = Some(TransactionError::AccountInUse);
    let body = world.body(&world.requirements(1_000_000), 1);
    assert_eq!(world.settle(&body).await["success"], false);
    let has_failed = |payment: &Value| payment["operations"][0]["status"] == "failed";
    let payment = world.until(world.payment_id(&body), has_failed).await;
    let text = section(&shown(&world, "/status").await, "fruitless");
    let code = payment["operations"][0]["error"]["code"].as_str().unwrap();
    assert_says(&text, &["Hold failed on chain", code, "Nothing is held: serve nothing for it."]);
}

#[tokio::test]
async fn a_verifier_that_is_not_well_says_so() {
    let world = World::new().await;
    world.cluster.state().is_down = true;
    let page = shown(&world, "/status").await;
    assert_says(&section(&page, "stuck"), &["The verifier", "the Solana node does not answer"]);
    world.cluster.state().is_down = false;
    world.authorize(1_000_000, 1).await;
    world.cluster.state().is_down = true;
    // Without the chain the token's decimals are not known: no number is invented.
    assert_says(&section(&shown(&world, "/status").await, "sums"), &["Came in 1000000 base units"]);
}
