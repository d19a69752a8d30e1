//! Many streamed holds that come due together.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use x402_escrow_wire::{
    auth_capture::Commitment,
    text::{Decimal, Hex32},
};

use super::{PRICE, opening, signed, terms, with_extra};
use crate::world::{FUNDS, Options, SESSION, World, envelope};

/// More than one look takes at once.
const HOLDS: u64 = 120;

/// One look in the time that a test takes.
fn one_look() -> Options {
    Options { review_interval: Duration::from_secs(3600), ..Options::default() }
}

/// Streamed holds that paid for one request each, in a store that nobody looks through.
async fn paid_once() -> (World, Vec<Hex32>) {
    let mut world = World::with(one_look()).await;
    let mut ids = Vec::new();
    for nonce in 1..=HOLDS {
        let body = opening(&world, &terms(&world), nonce, PRICE);
        world.settled(&body).await;
        ids.push(world.payment_id(&body));
    }
    world.crash().await;
    (world, ids)
}

#[tokio::test]
async fn all_last_vouchers_that_come_due_together_are_captured_in_one_look() {
    let (mut world, ids) = paid_once().await;
    world.cluster.pass_seconds(600 - 50);
    world.restart(one_look()).await;
    for id in ids {
        world.until(id, |payment| payment["captured"] == json!("100")).await;
    }
    assert_eq!((world.received(), world.escrow_account().balance), (HOLDS * PRICE, FUNDS - HOLDS * PRICE));
}

#[tokio::test]
async fn vouchers_go_before_what_only_takes_back_and_the_nearest_deadline_first() {
    let mut world = World::with(one_look()).await;
    let mut ids = Vec::new();
    for (nonce, seconds) in [(1, 690), (2, 640), (3, 100)] {
        let mut terms = if seconds == 100 { world.requirements(1000) } else { terms(&world) };
        terms.extra.insert("captureDeadline".to_owned(), json!(world.cluster.now() + seconds));
        let body = match seconds {
            100 => world.body(&terms, nonce),
            _ => opening(&world, &terms, nonce, PRICE),
        };
        world.settled(&body).await;
        ids.push(world.payment_id(&body));
    }
    world.cluster.state().level = Commitment::Finalized;
    for id in &ids {
        world.until(*id, |payment| payment["operations"][0]["status"] == "finalized").await;
    }
    world.crash().await;
    world.cluster.pass_seconds(639);
    world.restart(one_look()).await;
    let mut first = Vec::new();
    for id in &ids {
        world.until(*id, |payment| payment["operations"].as_array().unwrap().len() == 2).await;
        first.push(world.operation_ids(*id).await[1]);
    }
    assert!(first[1] < first[0] && first[0] < first[2], "{first:?}");
}

#[tokio::test]
async fn a_hold_whose_voucher_nobody_captured_in_time_goes_back_to_its_payer() {
    let mut world = World::with(one_look()).await;
    world.cluster.state().level = Commitment::Finalized;
    let body = opening(&world, &terms(&world), 1, PRICE);
    world.settled(&body).await;
    let id = world.payment_id(&body);
    world.until(id, |payment| payment["operations"][0]["status"] == "finalized").await;
    world.crash().await;
    world.cluster.pass_seconds(700);
    world.restart(one_look()).await;
    let payment = world.until(id, |payment| payment["operations"][1]["status"] == "finalized").await;
    assert_eq!(payment["operations"][1]["kind"], "reclaim", "{payment}");
    let escrow = world.escrow_account();
    assert_eq!((world.received(), escrow.balance, escrow.held), (0, FUNDS, 0));
}

#[tokio::test]
async fn vouchers_that_nobody_captures_in_time_are_told_of() {
    let (mut world, ids) = paid_once().await;
    world.backdate_reviews(2 * 3600).await;
    // The verifier runs, and can't reach the cluster.
    world.cluster.state().is_down = true;
    let told = |count: u64| format!("x402_vouchers_overdue {count}.0");
    let (_, _, page) = world.page("/metrics").await;
    assert!(page.lines().any(|line| line == told(HOLDS)), "{} is not in {page}", told(HOLDS));
    world.cluster.state().is_down = false;
    world.cluster.pass_seconds(600 - 50);
    world.restart(one_look()).await;
    for id in ids {
        world.until(id, |payment| payment["captured"] == json!("100")).await;
    }
    let (_, _, page) = world.page("/metrics").await;
    assert!(page.lines().any(|line| line == told(0)), "{page}");
}

#[tokio::test]
async fn each_of_many_vouchers_at_once_gets_its_own_answer() {
    let world = World::new().await;
    let terms = terms(&world);
    let mut ids = Vec::new();
    for nonce in 1..=40 {
        let body = opening(&world, &terms, nonce, PRICE);
        world.settled(&body).await;
        ids.push(world.payment_id(&body));
    }
    for step in 2..=4 {
        // Of each fifth hold one below the last, of each seventh one that pays for two.
        let amount = |index: usize| match index {
            index if index % 5 == 0 => PRICE / 2,
            index if index % 7 == 0 => step * 2 * PRICE,
            _ => step * PRICE,
        };
        let bodies = ids
            .iter()
            .enumerate()
            .map(|(index, id)| (index, envelope(&terms, json!(signed(*id, amount(index), 0, SESSION)))));
        let bodies: Vec<_> = bodies.collect();
        let answers = join_all(bodies.iter().map(|(_, body)| world.settle(body))).await;
        for ((index, _), answer) in bodies.iter().zip(answers) {
            let is_good = index % 5 != 0;
            assert_eq!(answer["success"], is_good, "{index}: {answer}");
            if is_good {
                assert_eq!(answer["extra"]["paymentId"], json!(ids[*index]));
                assert_eq!(answer["extra"]["vouched"], amount(*index).to_string());
            }
        }
    }
}

#[tokio::test]
async fn the_newest_claims_of_a_long_stream_are_kept() {
    const VOUCHERS: u64 = 200;
    let world = World::new().await;
    let terms = with_extra(terms(&world), |extra| extra.request_price = Some(Decimal(1)));
    let body = opening(&world, &terms, 1, 1);
    world.settled(&body).await;
    let id = world.payment_id(&body);
    let claimed = |amount: u64| {
        let mut body = envelope(&terms, json!(signed(id, amount, 0, SESSION)));
        body["claim"] = json!("07".repeat(16));
        body
    };
    for amount in 2..=VOUCHERS {
        world.settled(&claimed(amount)).await;
    }
    for amount in [VOUCHERS, VOUCHERS - 63] {
        assert_eq!(world.settle(&claimed(amount)).await["extra"]["claimed"], true);
    }
    let forgotten = world.settle(&claimed(2)).await;
    assert_eq!(forgotten["errorReason"], "invalid_auth_capture_svm_voucher_decreased", "{forgotten}");
}
