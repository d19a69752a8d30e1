//! Where a memo buys once: a receiver's invoice is paid by one transaction, whoever pays.

use std::time::Duration;

use serde_json::{Value, json};
use x402_escrow_wire::{payment::PaymentRequirements, text::Hex32};

use super::wallet::{assert_refused, body, draft, memo, payment_id, requirements};
use crate::world::{Options, World};

fn once() -> Options {
    Options { exact_memo_once: true, ..Options::default() }
}

fn asking(world: &World, amount: u64, memo: &str) -> PaymentRequirements {
    let mut requirements = requirements(world, amount);
    requirements.extra.insert("memo".to_owned(), json!(memo));
    requirements
}

/// Another transaction for the same: another limit of compute units.
fn another(world: &World, requirements: &PaymentRequirements, memo: &str, limit: u32) -> Value {
    let mut draft = draft(world, requirements, memo);
    draft.instructions[0].data[1..].copy_from_slice(&limit.to_le_bytes());
    body(requirements, &draft.signed(world))
}

fn invoice(world: &World, memo: &str, limit: u32) -> Value {
    another(world, &asking(world, 1000, memo), memo, limit)
}

#[tokio::test]
async fn a_memo_buys_once() {
    let world = World::with(once()).await;
    world.settled(&invoice(&world, "invoice-1", 20_000)).await;
    // By another transaction, also of another amount.
    for again in [
        invoice(&world, "invoice-1", 20_001),
        another(&world, &asking(&world, 999, "invoice-1"), "invoice-1", 20_000),
    ] {
        let (_, verdict) = world.post("/verify", &again).await;
        assert_eq!(verdict["invalidReason"], "duplicate_settlement", "{verdict}");
        let answer = world.settle(&again).await;
        assert_eq!(
            (&answer["success"], &answer["errorReason"]),
            (&json!(false), &json!("duplicate_settlement"))
        );
        assert!(answer["errorMessage"].as_str().unwrap().contains("another transaction pays for it"));
    }
    assert_eq!((world.cluster.distinct_sent(), world.received()), (1, 1000));
    world.settled(&invoice(&world, "invoice-2", 20_000)).await;
    assert_eq!(world.received(), 2000);
}

#[tokio::test]
async fn a_memo_that_the_server_did_not_ask_for_is_only_a_nonce() {
    let world = World::with(once()).await;
    let requirements = requirements(&world, 1000);
    world.settled(&another(&world, &requirements, "nonce", 20_000)).await;
    world.settled(&another(&world, &requirements, "nonce", 20_001)).await;
    world.settled(&invoice(&world, "nonce", 20_002)).await;
    assert_eq!(world.received(), 3000);
}

#[tokio::test]
async fn a_memo_is_a_name_where_it_does_not_buy_once() {
    let world = World::new().await;
    world.settled(&invoice(&world, "shop", 20_000)).await;
    world.settled(&invoice(&world, "shop", 20_001)).await;
    assert_eq!(world.received(), 2000);
}

#[tokio::test]
async fn the_same_transaction_is_told_what_became_of_it() {
    let short = Options { settle_timeout: Duration::from_millis(300), ..once() };
    let world = World::with(short).await;
    world.cluster.state().loses_transactions = true;
    let first = invoice(&world, "invoice-1", 20_000);
    let answer = world.settle(&first).await;
    assert_eq!(answer["errorReason"], "settlement_pending", "{answer}");
    // Meanwhile no other may pay for it: both could land.
    let answer = world.settle(&invoice(&world, "invoice-1", 20_001)).await;
    assert_eq!(answer["errorReason"], "duplicate_settlement", "{answer}");
    world.cluster.state().loses_transactions = false;
    let id: Hex32 = payment_id(&first);
    world.until(id, |payment| payment["status"] == "confirmed").await;
    world.settled(&first).await;
    assert_eq!(world.received(), 1000);
}

#[tokio::test]
async fn equal_invoices_at_once_are_paid_by_one() {
    let world = World::with(once()).await;
    let bodies: Vec<_> = (0..8).map(|index| invoice(&world, "invoice-1", 20_000 + index)).collect();
    let answers = futures_util::future::join_all(bodies.iter().map(|body| world.settle(body))).await;
    let paid = answers.iter().filter(|answer| answer["success"] == true).count();
    let refused = answers.iter().filter(|answer| answer["errorReason"] == "duplicate_settlement").count();
    assert_eq!((paid, refused), (1, 7), "{answers:?}");
    assert_eq!((world.cluster.distinct_sent(), world.received()), (1, 1000));
}

#[tokio::test]
async fn a_memo_whose_transaction_came_to_nothing_may_be_used_again() {
    let world = World::with(Options { settle_timeout: Duration::from_millis(300), ..once() }).await;
    world.cluster.state().loses_transactions = true;
    let lost = invoice(&world, "invoice-1", 20_000);
    let answer = world.settle(&lost).await;
    assert_eq!(answer["errorReason"], "settlement_pending", "{answer}");
    world.cluster.outlive_blockhash();
    world.cluster.state().block_height += 150;
    world.until(payment_id(&lost), |payment| payment["status"] == "expired").await;
    world.cluster.state().loses_transactions = false;
    world.settled(&invoice(&world, "invoice-1", 20_001)).await;
    assert_eq!(world.received(), 1000);
}

#[tokio::test]
async fn a_memo_that_was_refused_is_not_used() {
    let world = World::with(once()).await;
    let requirements = asking(&world, 1000, "invoice-1");
    let mut wrong = draft(&world, &requirements, "invoice-1");
    wrong.instructions.push(memo("invoice-1"));
    let code = "invalid_exact_svm_payload_memo_count";
    assert_refused(&world, &body(&requirements, &wrong.signed(&world)), code, "exactly one memo").await;
    world.settled(&invoice(&world, "invoice-1", 20_000)).await;
}
