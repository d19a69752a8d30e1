//! How sure an operation is before it is answered yes: by amount, and by what it rests on.

use std::time::Duration;

use serde_json::{Value, json};
use spl_token_interface::state::AccountState;
use x402_escrow_domain::gather::GatherSettings;
use x402_escrow_wire::{
    auth_capture::{Commitment, Level},
    text::{Decimal, Hex32},
};

use crate::{
    wait,
    world::{FUNDS, Options, World},
};

/// Captures up to 600 are reserved on a confirmed hold, all on a finalized one.
fn reserving() -> Options {
    Options {
        on_confirmed_hold: Some(600),
        on_finalized_hold: Level::Reserved,
        settle_timeout: Duration::from_millis(1500),
        ..Options::default()
    }
}

/// A hold of 1000 that is as final as `level`, in a cluster that takes no transaction any more.
async fn held(world: &World, level: Commitment) -> Hex32 {
    world.cluster.state().level = level;
    let id = world.authorize(1000, 1).await;
    world.until(id, |payment| payment["operations"][0]["status"] == level.as_str()).await;
    world.cluster.state().loses_transactions = true;
    id
}

/// What is asked, required and observed, and what it rests on.
fn told(answer: &Value) -> [&str; 4] {
    ["restsOn", "commitmentAsked", "commitmentRequired", "commitmentObserved"]
        .map(|name| answer["extra"][name].as_str().unwrap_or("null"))
}

/// What is told of an operation that is answered yes before it is on chain.
async fn assert_reserved(world: &World, body: &Value, rests_on: &str) {
    let (sent, distinct) = (world.sent(), world.cluster.distinct_sent());
    let answer = world.settle(body).await;
    assert_eq!(answer["success"], true, "{answer}");
    // It may be stored already, and is sent right after.
    if answer["transaction"] != "" {
        wait::until("the transaction to be sent that is named", async || world.sent() > sent).await;
    }
    assert_eq!(told(&answer), [rests_on, "null", "reserved", "reserved"], "{answer}");
    let extra = &answer["extra"];
    assert_eq!((&extra["status"], &extra["captured"]), (&json!("unsettled"), &json!("0")), "{answer}");
    assert_eq!((&extra["slot"], &extra["alreadySettled"]), (&Value::Null, &json!(false)), "{answer}");
    assert_eq!(extra["observedAtSlot"], 101, "the hold's: {answer}");
    assert_eq!(world.received(), 0);
    assert!(world.cluster.distinct_sent() <= distinct + 1, "nobody waited for it");
}

async fn assert_waits(world: &World, body: &Value, expected: [&str; 4]) {
    let answer = world.settle(body).await;
    assert_eq!(answer["success"], false, "{answer}");
    let reason = answer["errorReason"].as_str().unwrap();
    assert!(["settlement_pending", "unexpected_settle_error"].contains(&reason), "{answer}");
    assert_eq!(told(&answer), expected, "{answer}");
}

async fn assert_captured_once(world: &World, id: Hex32, amount: u64) {
    world.cluster.state().loses_transactions = false;
    let captured = Decimal(amount).to_string();
    let payment = world.until(id, |payment| payment["captured"] == captured.as_str()).await;
    assert_eq!(world.received(), amount, "{payment}");
    let escrow = world.escrow_account();
    assert_eq!(escrow.balance, FUNDS - amount, "{payment}");
}

#[tokio::test]
async fn a_capture_on_a_confirmed_hold_is_reserved_up_to_the_bound() {
    let world = World::with(reserving()).await;
    let id = held(&world, Commitment::Confirmed).await;
    assert_reserved(&world, &world.capture(id, 600, true), "confirmed_hold").await;
    assert_captured_once(&world, id, 600).await;
}

#[tokio::test]
async fn a_capture_on_a_confirmed_hold_waits_above_the_bound() {
    let world = World::with(reserving()).await;
    let id = held(&world, Commitment::Confirmed).await;
    let body = world.capture(id, 601, true);
    assert_waits(&world, &body, ["confirmed_hold", "null", "confirmed", "reserved"]).await;
    world.cluster.state().loses_transactions = false;
    let answer = world.settled(&body).await;
    assert_eq!(told(&answer), ["confirmed_hold", "null", "confirmed", "confirmed"], "{answer}");
    assert_eq!(answer["extra"]["observedAtSlot"], 102, "its own: {answer}");
    assert_captured_once(&world, id, 601).await;
    let payment = world.payment(id).await;
    let told = |index: usize| {
        ["restsOn", "commitmentRequired", "commitmentObserved", "observedAtSlot"]
            .map(|name| payment["operations"][index][name].clone())
    };
    assert_eq!(told(0), [json!("balance"), json!("processed"), json!("confirmed"), json!(101)], "{payment}");
    let capture = [json!("confirmed_hold"), json!("confirmed"), json!("confirmed"), json!(102)];
    assert_eq!(told(1), capture, "{payment}");
}

#[tokio::test]
async fn the_bound_is_of_all_that_is_captured_of_a_hold() {
    let world = World::with(reserving()).await;
    let id = held(&world, Commitment::Confirmed).await;
    assert_reserved(&world, &world.capture(id, 300, false), "confirmed_hold").await;
    let body = world.capture(id, 700, true);
    assert_waits(&world, &body, ["confirmed_hold", "null", "confirmed", "reserved"]).await;
    assert_captured_once(&world, id, 700).await;
}

#[tokio::test]
async fn any_capture_on_a_finalized_hold_is_reserved() {
    let world = World::with(reserving()).await;
    let id = held(&world, Commitment::Finalized).await;
    assert_reserved(&world, &world.capture(id, 1000, true), "finalized_hold").await;
    assert_captured_once(&world, id, 1000).await;
}

#[tokio::test]
async fn no_capture_on_a_processed_hold_is_reserved() {
    let world = World::with(reserving()).await;
    let id = held(&world, Commitment::Processed).await;
    let body = world.capture(id, 1, true);
    assert_waits(&world, &body, ["processed_hold", "null", "confirmed", "reserved"]).await;
    // The hold becomes final meanwhile: what is stored is enough then.
    world.cluster.state().level = Commitment::Finalized;
    let answer = world.settled(&body).await;
    assert_eq!(told(&answer), ["finalized_hold", "null", "reserved", "reserved"], "{answer}");
    assert_captured_once(&world, id, 1).await;
}

#[tokio::test]
async fn what_a_void_releases_is_bounded_too() {
    let world = World::with(reserving()).await;
    let id = held(&world, Commitment::Confirmed).await;
    let body = world.void(id, 399);
    assert_waits(&world, &body, ["confirmed_hold", "null", "confirmed", "reserved"]).await;
    let world = World::with(reserving()).await;
    let id = held(&world, Commitment::Confirmed).await;
    assert_reserved(&world, &world.void(id, 400), "confirmed_hold").await;
    world.cluster.state().loses_transactions = false;
    world.until(id, |payment| payment["released"] == "600").await;
    assert_eq!(world.escrow_account().held, 400);
}

#[tokio::test]
async fn a_merchant_can_ask_for_more_and_not_for_less() {
    let world = World::with(reserving()).await;
    let id = held(&world, Commitment::Finalized).await;
    let mut body = world.capture(id, 1000, true);
    for (asked, required) in [("confirmed", "confirmed"), ("finalized", "finalized")] {
        body["paymentRequirements"]["extra"]["commitment"] = json!(asked);
        assert_waits(&world, &body, ["finalized_hold", asked, required, "reserved"]).await;
    }
    body["paymentRequirements"]["extra"]["commitment"] = json!("soon");
    let answer = world.settle(&body).await;
    assert_eq!(answer["errorReason"], "invalid_auth_capture_svm_extra", "{answer}");
    assert!(answer["errorMessage"].as_str().unwrap().contains("extra.commitment: unknown variant `soon`"));
    assert_captured_once(&world, id, 1000).await;

    let id = {
        let requirements = world.requirements(1000);
        let mut body = world.body(&requirements, 2);
        for requirements in ["/paymentRequirements", "/paymentPayload/accepted"] {
            body.pointer_mut(requirements).unwrap()["extra"]["commitment"] = json!("reserved");
        }
        let answer = world.settled(&body).await;
        assert_eq!(told(&answer), ["balance", "reserved", "processed", "finalized"], "{answer}");
        world.payment_id(&body)
    };
    world.cluster.state().level = Commitment::Processed;
    let mut body = world.capture(id, 601, true);
    body["paymentRequirements"]["extra"]["commitment"] = json!("reserved");
    let answer = world.settle(&body).await;
    assert_eq!(told(&answer)[1..3], ["reserved", "reserved"], "{answer}");
}

#[tokio::test]
async fn a_hold_is_never_only_reserved() {
    let world = World::with(reserving()).await;
    world.cluster.state().loses_transactions = true;
    let mut requirements = world.requirements(1000);
    requirements.extra.insert("commitment".to_owned(), json!("reserved"));
    assert_waits(&world, &world.body(&requirements, 1), ["balance", "reserved", "processed", "reserved"])
        .await;
}

#[tokio::test]
async fn a_capture_near_its_deadline_is_not_answered_before_it_is_on_chain() {
    let world = World::with(reserving()).await;
    let id = held(&world, Commitment::Finalized).await;
    // The deadline is 600 seconds after the hold; the margin is of 60.
    world.cluster.pass_seconds(540);
    assert_reserved(&world, &world.capture(id, 100, false), "finalized_hold").await;
    world.cluster.pass_seconds(1);
    let body = world.capture(id, 200, false);
    assert_waits(&world, &body, ["finalized_hold", "null", "confirmed", "reserved"]).await;
    assert_captured_once(&world, id, 200).await;
}

#[tokio::test]
async fn a_reserved_capture_whose_block_is_dropped_is_made_again_once() {
    let world = World::with(reserving()).await;
    let id = held(&world, Commitment::Finalized).await;
    world.cluster.state().level = Commitment::Processed;
    let fork = world.cluster.state().clone();
    assert_reserved(&world, &world.capture(id, 1000, true), "finalized_hold").await;
    world.cluster.state().loses_transactions = false;
    world.until(id, |payment| payment["state"] == "ended").await;

    world.cluster.drop_blocks_since(fork);
    world.cluster.state().loses_transactions = true;
    let payment = world.until(id, |payment| payment["operations"][1]["status"] == "unsettled").await;
    assert_eq!((&payment["captured"], world.received()), (&json!("0"), 0), "{payment}");
    // Whoever asks again is told what it rests on now, and the same yes.
    let answer = world.settle(&world.capture(id, 1000, true)).await;
    assert_eq!((&answer["success"], &answer["extra"]["alreadySettled"]), (&json!(true), &json!(true)));
    assert_captured_once(&world, id, 1000).await;
    assert_eq!(world.escrow_account().held, 0);
}

#[tokio::test]
async fn a_reserved_capture_whose_hold_is_dropped_is_made_after_the_hold() {
    let world = World::with(reserving()).await;
    let fork = world.cluster.state().clone();
    let id = held(&world, Commitment::Confirmed).await;
    assert_reserved(&world, &world.capture(id, 600, true), "confirmed_hold").await;
    world.cluster.drop_blocks_since(fork);
    world.cluster.state().loses_transactions = true;
    world.until(id, |payment| payment["state"] == "unsettled").await;
    let answer = world.settle(&world.capture(id, 600, true)).await;
    assert_eq!(
        (&answer["success"], &told(&answer)[..3]),
        (&json!(false), &["balance", "null", "confirmed"][..])
    );
    assert_captured_once(&world, id, 600).await;
    assert_eq!(world.escrow_account().held, 0);
}

#[tokio::test]
async fn a_crash_after_the_answer_captures_once() {
    let mut world = World::with(reserving()).await;
    let id = held(&world, Commitment::Finalized).await;
    world.crash().await;
    assert_reserved(&world, &world.capture(id, 1000, true), "finalized_hold").await;
    assert_eq!(world.rows().await[2], 1, "of the capture no transaction exists");
    world.cluster.state().loses_transactions = false;
    world.restart(reserving()).await;
    assert_captured_once(&world, id, 1000).await;
    let answer = world.settle(&world.capture(id, 1000, true)).await;
    assert_eq!((&answer["success"], &answer["extra"]["alreadySettled"]), (&json!(true), &json!(true)));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((world.received(), world.cluster.distinct_sent()), (1000, 2));
}

#[tokio::test]
async fn what_keeps_a_reserved_capture_from_being_sent_is_told() {
    let world = World::with(reserving()).await;
    let id = held(&world, Commitment::Finalized).await;
    world.cluster.state().loses_transactions = false;
    world.set_token_account(world.merchant(), AccountState::Frozen, 0);
    let body = world.capture(id, 1000, true);
    assert_reserved(&world, &body, "finalized_hold").await;
    world.until(id, |payment| payment["operations"][1]["error"].is_object()).await;
    let answer = world.settle(&body).await;
    assert_eq!(answer["errorReason"], "invalid_transaction_state", "{answer}");
    assert_eq!(told(&answer)[2..], ["reserved", "null"], "{answer}");
    world.set_token_account(world.merchant(), AccountState::Initialized, 0);
    assert_captured_once(&world, id, 1000).await;
}

#[tokio::test]
async fn a_reserved_capture_waits_for_others_until_somebody_asks_for_more() {
    let gather = GatherSettings { seconds: 60, value: u64::MAX };
    let world = World::with(Options { gather, ..reserving() }).await;
    let id = held(&world, Commitment::Finalized).await;
    world.cluster.state().loses_transactions = false;
    let mut body = world.capture(id, 1000, true);
    assert_reserved(&world, &body, "finalized_hold").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((world.cluster.distinct_sent(), world.received()), (1, 0), "it waits");
    body["paymentRequirements"]["extra"]["commitment"] = json!("confirmed");
    let answer = world.settled(&body).await;
    assert_eq!(told(&answer), ["finalized_hold", "confirmed", "confirmed", "finalized"], "{answer}");
    assert_eq!((world.cluster.distinct_sent(), world.received()), (2, 1000));
}
