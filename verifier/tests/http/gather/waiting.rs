//! Operations that nobody waits for, and what they wait for.

use serde_json::{Value, json};
use x402_escrow_domain::gather::GatherSettings;
use x402_escrow_wire::{
    auth_capture::{Commitment, Level},
    text::Hex32,
};

use super::{holds, until_all_ended};
use crate::{
    wait,
    world::{FUNDS, Options, World},
};

/// Captures are answered when they are stored, and wait up to a minute for others.
fn reserving(value: u64) -> Options {
    let gather = GatherSettings { seconds: 60, value };
    Options { on_finalized_hold: Level::Reserved, gather, ..Options::default() }
}

/// Final holds of 1000 each.
async fn final_holds(world: &World, count: u64) -> Vec<Hex32> {
    world.cluster.state().level = Commitment::Finalized;
    let ids = holds(world, count).await;
    for id in &ids {
        world.until(*id, |payment| payment["operations"][0]["status"] == "finalized").await;
    }
    ids
}

async fn reserve(world: &World, id: Hex32, amount: u64) {
    let answer = world.settle(&world.capture(id, amount, true)).await;
    assert_eq!((&answer["success"], &answer["transaction"]), (&json!(true), &json!("")), "{answer}");
}

/// A last capture whose merchant waits until it is confirmed.
async fn capture_confirmed(world: &World, id: Hex32, amount: u64) -> Value {
    let mut body = world.capture(id, amount, true);
    for requirements in ["/paymentRequirements", "/paymentPayload/accepted"] {
        body.pointer_mut(requirements).unwrap()["extra"]["commitment"] = json!("confirmed");
    }
    world.settle(&body).await
}

async fn until_gathering(world: &World, count: usize) {
    let line = format!("x402_gathering_operations {count}");
    let page = async || world.page("/metrics").await.2;
    wait::until(&line, async || page().await.lines().any(|known| known == line)).await;
}

#[tokio::test]
async fn what_nobody_waits_for_waits_for_others() {
    let options = Options { gather: GatherSettings { seconds: 10, value: u64::MAX }, ..Options::default() };
    let world = World::with(options).await;
    let ids = final_holds(&world, 3).await;
    world.cluster.pass_seconds(601);
    until_gathering(&world, 3).await;
    assert_eq!(world.sent(), 3);
    until_all_ended(&world, &ids).await;
    assert_eq!(world.cluster.distinct_sent(), 3 + 1);
    let escrow = world.escrow_account();
    assert_eq!((escrow.balance, escrow.held), (FUNDS, 0));
}

#[tokio::test]
async fn captures_that_were_answered_wait_for_others_also_over_a_crash_until_they_are_worth_it() {
    let mut world = World::with(reserving(1000)).await;
    let ids = final_holds(&world, 3).await;
    reserve(&world, ids[0], 400).await;
    reserve(&world, ids[1], 600).await;
    until_gathering(&world, 2).await;
    world.restart(reserving(1000)).await;
    until_gathering(&world, 2).await;
    assert_eq!(world.cluster.distinct_sent(), 3, "the holds");
    reserve(&world, ids[2], 1).await;
    until_all_ended(&world, &ids).await;
    assert_eq!(world.cluster.distinct_sent(), 3 + 1);
    assert_eq!((world.received(), world.escrow_account().held), (1001, 0));
    until_gathering(&world, 0).await;
}

#[tokio::test]
async fn a_capture_that_somebody_waits_for_takes_along_those_that_wait() {
    let world = World::with(reserving(u64::MAX)).await;
    let ids = final_holds(&world, 3).await;
    reserve(&world, ids[0], 400).await;
    reserve(&world, ids[1], 600).await;
    until_gathering(&world, 2).await;
    let answer = capture_confirmed(&world, ids[2], 100).await;
    assert_eq!(
        (&answer["success"], &answer["extra"]["status"]),
        (&json!(true), &json!("finalized")),
        "{answer}"
    );
    until_all_ended(&world, &ids).await;
    assert_eq!(world.cluster.distinct_sent(), 3 + 1);
    assert_eq!(world.received(), 1100);
}

#[tokio::test]
async fn one_that_waits_goes_once_somebody_waits_for_what_follows_it() {
    let world = World::with(reserving(u64::MAX)).await;
    let id = final_holds(&world, 1).await[0];
    let answer = world.settle(&world.capture(id, 400, false)).await;
    assert_eq!(answer["transaction"], "", "{answer}");
    until_gathering(&world, 1).await;
    let answer = capture_confirmed(&world, id, 700).await;
    assert_eq!((&answer["success"], &answer["extra"]["captured"]), (&json!(true), &json!("700")), "{answer}");
    assert_eq!(world.received(), 700);
}

#[tokio::test]
async fn a_capture_that_waits_goes_two_minutes_before_its_deadline_at_the_price_of_the_dearest_blocks() {
    let world = World::with(reserving(u64::MAX)).await;
    world.cluster.state().level = Commitment::Finalized;
    let mut requirements = world.requirements(1000);
    requirements.extra.insert("captureDeadline".to_owned(), json!(world.cluster.now() + 125));
    let body = world.body(&requirements, 1);
    world.settled(&body).await;
    let id = world.payment_id(&body);
    world.until(id, |payment| payment["operations"][0]["status"] == "finalized").await;
    reserve(&world, id, 400).await;
    world.cluster.state().prices = [vec![0; 140], vec![90; 10]].concat();
    // Long before the minute is over.
    world.until(id, |payment| payment["state"] == "ended").await;
    assert_eq!(world.cluster.state().offered.last(), Some(&(90, 45_000)));
    assert_eq!(world.received(), 400);
}
