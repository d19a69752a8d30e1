//! Many operations to a transaction.

mod authorizations;
mod failing;
mod lost;
mod missing;
mod raised;
mod waiting;

use std::time::Duration;

use serde_json::{Value, json};
use x402_escrow_wire::text::Hex32;

use crate::world::{FUNDS, Options, World};

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
    let thousands = |lamports: u64| match lamports / 1000 {
        0 => lamports.to_string(),
        thousands => format!("{thousands},{:03}", lamports % 1000),
    };
    for (row, lamports) in [("one by one", alone), ("six to a transaction", gathered)] {
        let line = format!("| {row} | {} |", thousands(lamports));
        assert!(page.contains(&line), "docs/benchmarks.md has not {line}");
    }
}
