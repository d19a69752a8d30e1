//! Many operations to a transaction.

mod authorizations;
mod missing;
mod waiting;

use std::time::Duration;

use serde_json::{Value, json};
use solana_sdk::signer::Signer;
use spl_token_interface::state::AccountState;
use x402_escrow_interface::error::EscrowError;
use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

use crate::world::{FUNDS, Options, World, keypair};

pub(crate) fn short() -> Options {
    Options { settle_timeout: Duration::from_millis(50), ..Options::default() }
}

/// Holds of 1000 each, with their nonces.
async fn holds(world: &World, count: u64) -> Vec<Hex32> {
    let mut ids = Vec::new();
    for nonce in 1..=count {
        ids.push(world.authorize(1000, nonce).await);
    }
    ids
}

/// What the payment at `index` is captured at.
fn amount(index: usize) -> u64 {
    100 + u64::try_from(index).unwrap()
}

/// Has all that is asked for stored while nothing is sent, so that all of it is ready at once when it starts again.
pub(crate) async fn store_all(world: &mut World, bodies: &[Value]) {
    world.restart(short()).await;
    world.crash().await;
    for body in bodies {
        let answer = world.settle(body).await;
        assert_eq!((&answer["success"], &answer["transaction"]), (&json!(false), &json!("")), "{answer}");
    }
}

/// Has captures of all of them stored.
async fn accept_all(world: &mut World, ids: &[Hex32]) {
    let capture = |(index, id): (usize, &Hex32)| world.capture(*id, amount(index), true);
    let captures: Vec<_> = ids.iter().enumerate().map(capture).collect();
    store_all(world, &captures).await;
}

async fn until_all_ended(world: &World, ids: &[Hex32]) -> Vec<Value> {
    let mut payments = Vec::new();
    for id in ids {
        payments.push(world.until(*id, |payment| payment["state"] == "ended").await);
    }
    payments
}

/// Asserts that the merchant has what the captures come to, and that nothing is held any more.
fn all_paid_once(world: &World, count: usize) {
    let sum = (0..count).map(amount).sum::<u64>();
    let escrow = world.escrow_account();
    assert_eq!((world.received(), escrow.balance, escrow.held), (sum, FUNDS - sum, 0));
}

/// Five holds, and one transaction of their captures that reached no block.
async fn sent_and_lost() -> (World, Vec<Hex32>) {
    let mut world = World::new().await;
    let ids = holds(&world, 5).await;
    let sent = world.cluster.distinct_sent();
    accept_all(&mut world, &ids).await;
    world.cluster.state().loses_transactions = true;
    world.restart(short()).await;
    for id in &ids {
        world.until(*id, |payment| payment["transactions"].as_array().unwrap().len() == 2).await;
    }
    assert_eq!(world.cluster.distinct_sent(), sent + 1);
    (world, ids)
}

#[tokio::test]
async fn captures_that_are_ready_together_share_a_transaction_and_its_fee() {
    let mut world = World::new().await;
    let ids = holds(&world, 8).await;
    let (sent, lamports) = (world.sent(), world.fee_payer_lamports());
    accept_all(&mut world, &ids).await;
    world.restart(short()).await;
    let payments = until_all_ended(&world, &ids).await;
    all_paid_once(&world, 8);
    assert_eq!(world.sent() - sent, 2, "six fit a transaction");
    assert_eq!(payments[0]["transactions"][1]["signature"], payments[1]["transactions"][1]["signature"]);
    let offered = world.cluster.state().offered.clone();
    let mut offered = [offered[sent], offered[sent + 1]];
    offered.sort_unstable();
    assert_eq!(offered, [(10, 2 * 45_000), (10, 6 * 45_000)], "the sum of what each may use");
    // Eight holds' rent comes back. A hold is 328 bytes; the priority fee is rounded up.
    let rent = 8 * 3_173_760;
    assert_eq!(world.fee_payer_lamports() + 2 * 5000 + 3 + 1, lamports + rent);
    let (_, _, page) = world.page("/metrics").await;
    for line in ["x402_transaction_operations_sum 8.0", "x402_transaction_operations_count 2"] {
        assert!(page.lines().any(|known| known == line), "{line} is not in {page}");
    }
}

#[tokio::test]
async fn a_higher_capture_takes_the_place_of_lower_ones_that_were_not_sent() {
    let mut world = World::new().await;
    let id = world.authorize(1000, 1).await;
    let captures: Vec<_> = (1..=20).map(|step| world.capture(id, 10 * step, false)).collect();
    store_all(&mut world, &captures).await;
    let sent = world.sent();
    world.restart(short()).await;
    let payment = world.until(id, |payment| payment["captured"] == "200").await;
    assert_eq!((world.sent() - sent, world.received()), (1, 200), "{payment}");
    let operations = payment["operations"].as_array().unwrap();
    assert_eq!((operations.len(), &operations[1]["amount"]), (2, &json!("200")), "{payment}");
    // Who asks again for a lower one is told that it is done.
    let answer = world.settled(&captures[3]).await;
    assert_eq!(answer["extra"]["alreadySettled"], true, "{answer}");
    // A last capture and one with a lower fee than was signed before stand for themselves.
    world.settled(&world.capture(id, 300, true)).await;
    assert_eq!((world.received(), world.escrow_account().held), (300, 0));
}

#[tokio::test]
async fn a_capture_that_was_sent_keeps_its_amount_and_a_higher_one_follows() {
    let mut world = World::new().await;
    let id = world.authorize(1000, 1).await;
    world.restart(short()).await;
    world.cluster.state().loses_transactions = true;
    world.settle(&world.capture(id, 100, false)).await;
    world.until(id, |payment| payment["transactions"].as_array().unwrap().len() == 2).await;
    for amount in [200, 300, 400] {
        world.settle(&world.capture(id, amount, false)).await;
    }
    world.cluster.state().loses_transactions = false;
    let payment = world.until(id, |payment| payment["captured"] == "400").await;
    let amounts: Vec<_> =
        payment["operations"].as_array().unwrap().iter().map(|one| one["amount"].as_str().unwrap()).collect();
    assert_eq!((amounts, world.received()), (vec!["1000", "100", "400"], 400), "{payment}");
}

#[tokio::test]
async fn a_hold_that_is_not_there_holds_up_no_other() {
    let mut world = World::new().await;
    let ids = holds(&world, 4).await;
    accept_all(&mut world, &ids).await;
    world.remove_hold(2);
    world.restart(short()).await;
    until_all_ended(&world, &[ids[0], ids[2], ids[3]]).await;
    assert_eq!(world.received(), amount(0) + amount(2) + amount(3));
    let missing = world.until(ids[1], |payment| !payment["operations"][1]["error"].is_null()).await;
    assert_eq!(missing["operations"][1]["error"]["code"], "settlement_pending", "{missing}");
}

#[tokio::test]
async fn a_frozen_receiver_holds_up_no_other_and_is_paid_once_thawed() {
    let mut world = World::new().await;
    let other = keypair(77).pubkey();
    world.set_token_account(other, AccountState::Initialized, 0);
    let mut requirements = world.requirements(1000);
    requirements.pay_to = other.into();
    let body = world.body(&requirements, 50);
    world.settled(&body).await;
    let frozen = world.payment_id(&body);
    let ids = holds(&world, 4).await;

    accept_all(&mut world, &ids).await;
    let mut capture = world.capture(frozen, 900, true);
    for place in ["/paymentRequirements/payTo", "/paymentPayload/accepted/payTo"] {
        *capture.pointer_mut(place).unwrap() = json!(other.to_string());
    }
    world.settle(&capture).await;
    world.set_token_account(other, AccountState::Frozen, 0);
    world.restart(short()).await;
    let payments = until_all_ended(&world, &ids).await;
    assert_eq!((world.received(), world.tokens(other)), ((0..4).map(amount).sum(), 0));
    let stuck = world.until(frozen, |payment| !payment["operations"][1]["error"].is_null()).await;
    assert_eq!(stuck["operations"][1]["status"], "unsettled", "{stuck}");
    let last_of =
        |payment: &Value| payment["transactions"].as_array().unwrap().last().unwrap()["signature"].clone();
    assert!(payments.iter().all(|payment| last_of(payment) == last_of(&payments[0])), "together, without it");

    world.set_token_account(other, AccountState::Initialized, 0);
    world.until(frozen, |payment| payment["state"] == "ended").await;
    assert_eq!((world.tokens(other), world.escrow_account().held), (900, 0));
}

#[tokio::test]
async fn where_a_block_fails_one_of_them_the_others_go_on_together() {
    let mut world = World::new().await;
    let ids = holds(&world, 5).await;
    let sent = world.cluster.distinct_sent();
    accept_all(&mut world, &ids).await;
    world.fail_next(3, EscrowError::CaptureDeadlinePassed);
    world.cluster.state().level = Commitment::Finalized;
    world.restart(short()).await;
    let payments = until_all_ended(&world, &[ids[0], ids[1], ids[2], ids[4]]).await;
    assert_eq!(world.received(), amount(0) + amount(1) + amount(2) + amount(4));
    assert_eq!(world.cluster.distinct_sent() - sent, 1 + 1);
    let failed = world.until(ids[3], |payment| payment["operations"][1]["status"] == "failed").await;
    let error = &failed["operations"][1]["error"];
    assert_eq!(error["code"], "invalid_auth_capture_svm_capture", "{failed}");
    let transactions = payments[0]["transactions"].as_array().unwrap();
    let statuses: Vec<_> = transactions.iter().map(|one| &one["status"]).collect();
    assert_eq!(statuses, ["finalized", "failed", "finalized"]);
    assert_eq!(transactions[1]["error"]["code"], "settlement_pending");
    // Each keeps what the transaction meant for it.
    let failed = world.payment(ids[3]).await;
    assert_eq!(failed["transactions"][1]["error"]["code"], "invalid_auth_capture_svm_capture", "{failed}");
}

#[tokio::test]
async fn captures_in_a_dropped_block_are_all_unsettled_and_all_settle_again() {
    let mut world = World::new().await;
    let ids = holds(&world, 8).await;
    accept_all(&mut world, &ids).await;
    let fork = world.cluster.state().clone();
    world.restart(short()).await;
    until_all_ended(&world, &ids).await;

    world.cluster.drop_blocks_since(fork);
    world.cluster.state().loses_transactions = true;
    for id in &ids {
        let payment = world.until(*id, |payment| payment["operations"][1]["status"] == "unsettled").await;
        assert_eq!(payment["state"], "authorized", "{payment}");
    }
    assert_eq!(world.received(), 0);
    let sent = world.cluster.distinct_sent();
    world.cluster.state().loses_transactions = false;
    until_all_ended(&world, &ids).await;
    all_paid_once(&world, 8);
    assert_eq!(world.cluster.distinct_sent(), sent, "the same transactions");
}

#[tokio::test]
async fn a_transaction_that_failed_on_a_dropped_fork_may_land_beside_those_that_replaced_it() {
    let mut world = World::new().await;
    let ids = holds(&world, 4).await;
    accept_all(&mut world, &ids).await;
    let fork = world.cluster.state().clone();
    world.fail_next(0, EscrowError::CaptureDeadlinePassed);
    world.restart(short()).await;
    until_all_ended(&world, &ids[1..]).await;

    // All of them can land again: the one that carries all, and the one that replaced it.
    world.cluster.drop_blocks_since(fork);
    until_all_ended(&world, &ids).await;
    all_paid_once(&world, 4);
    world.cluster.state().level = Commitment::Finalized;
    for id in &ids {
        world.until(*id, |payment| payment["operations"][1]["status"] == "finalized").await;
    }
    all_paid_once(&world, 4);
}

#[tokio::test]
async fn a_crash_between_sending_and_landing_repeats_the_same_transaction() {
    let (mut world, ids) = sent_and_lost().await;
    let sent = world.cluster.distinct_sent();
    world.crash().await;
    world.cluster.state().loses_transactions = false;
    world.restart(short()).await;
    until_all_ended(&world, &ids).await;
    all_paid_once(&world, 5);
    assert_eq!(world.cluster.distinct_sent(), sent);
}

#[tokio::test]
async fn a_dead_blockhash_has_all_of_them_gathered_anew() {
    let (world, ids) = sent_and_lost().await;
    let sent = world.cluster.distinct_sent();
    world.cluster.state().loses_transactions = false;
    world.cluster.outlive_blockhash();
    until_all_ended(&world, &ids).await;
    all_paid_once(&world, 5);
    assert_eq!(world.cluster.distinct_sent(), sent + 1);
}

#[tokio::test]
async fn two_operations_of_one_payment_go_in_order_and_never_together() {
    let mut world = World::new().await;
    let ids = holds(&world, 2).await;
    let sent = world.cluster.distinct_sent();
    let bodies = [
        world.capture(ids[0], 400, false),
        world.void(ids[0], 400),
        world.capture(ids[1], 500, false),
        world.void(ids[1], 500),
    ];
    store_all(&mut world, &bodies).await;
    world.restart(short()).await;
    let payments = until_all_ended(&world, &ids).await;
    assert_eq!((world.received(), world.escrow_account().held), (900, 0));
    let signature = |payment: usize, transaction: usize| {
        payments[payment]["transactions"][transaction]["signature"].as_str().unwrap().to_owned()
    };
    assert_eq!(world.cluster.distinct_sent() - sent, 2, "the first of each, then the second");
    assert_eq!(signature(0, 1), signature(1, 1));
    assert_eq!(signature(0, 2), signature(1, 2));
    assert_ne!(signature(0, 1), signature(0, 2));
}

#[tokio::test]
async fn a_capture_costs_what_the_benchmarks_say() {
    // The least that the verifier offers unless it is configured.
    let options = Options { compute_unit_price: 1_000, ..Options::default() };
    let mut world = World::with(options).await;
    let ids = holds(&world, 12).await;
    let before = world.fee_payer_lamports();
    for (index, id) in ids[..6].iter().enumerate() {
        world.settled(&world.capture(*id, amount(index), true)).await;
    }
    let between = world.fee_payer_lamports();
    accept_all(&mut world, &ids[6..]).await;
    world.restart(options).await;
    until_all_ended(&world, &ids).await;
    // The rent of six holds came back.
    let each = |before: u64, after: u64| (before + 6 * 3_173_760 - after).div_ceil(6);
    let (alone, gathered) = (each(before, between), each(between, world.fee_payer_lamports()));
    println!("lamports a capture: {alone} one by one, {gathered} six to a transaction");
    let page = include_str!("../../../docs/benchmarks.md");
    let thousands = |lamports: u64| format!("{},{:03}", lamports / 1000, lamports % 1000);
    for (row, lamports) in [("one by one", alone), ("six to a transaction", gathered)] {
        let line = format!("| {row} | {} |", thousands(lamports));
        assert!(page.contains(&line), "docs/benchmarks.md has not {line}");
    }
}
