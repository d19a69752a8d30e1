//! What a merchant's payments come to.

use futures_util::future::join_all;
use serde_json::{Value, json};
use x402_escrow_domain::books::{DAY_SECONDS, day_of};

use super::listed;
use crate::{
    wait,
    world::{Options, World},
};

/// Waits until the merchant's totals are these, of one token and one day.
async fn come_to(world: &World, payments: i64, captured: &str, refunded: &str) -> Value {
    wait::until(&format!("{payments} payments to come to {captured} less {refunded}"), async || {
        let totals = listed(world, "/totals").await;
        let total = &totals["totals"][0];
        (&total["payments"], &total["captured"], &total["refunded"])
            == (&json!(payments), &json!(captured), &json!(refunded))
    })
    .await;
    listed(world, "/totals").await
}

#[tokio::test]
async fn sums_are_of_what_was_captured_by_token_and_day_and_each_payment_counts_once() {
    let world = World::new().await;
    assert_eq!(listed(&world, "/totals").await, json!({ "totals": [], "days": [] }));
    let first = world.authorize(1000, 1).await;
    world.until_booked(first, "held").await;
    world.settled(&world.capture(first, 300, false)).await;
    come_to(&world, 1, "300", "0").await;
    world.settled(&world.capture(first, 700, true)).await;
    let second = world.authorize(5000, 2).await;
    world.settled(&world.capture(second, 5000, true)).await;
    let totals = come_to(&world, 2, "5700", "0").await;
    let day = json!(day_of(world.app.now()) * DAY_SECONDS);
    assert_eq!(totals["days"].as_array().unwrap().len(), 1, "{totals}");
    let of_day = &totals["days"][0];
    assert_eq!((&of_day["day"], &of_day["captured"], &of_day["fee"]), (&day, &json!("5700"), &json!("0")));
    assert_eq!(of_day["asset"], world.mint.to_string());
    let before = listed(&world, &format!("/totals?to={}", world.app.now() - 2 * DAY_SECONDS)).await;
    assert_eq!(before["days"], json!([]));
}

#[tokio::test]
async fn payments_that_are_booked_together_all_count() {
    let world = World::new().await;
    let ids = join_all((1..=6).map(|nonce| world.authorize(1000, nonce))).await;
    let captures: Vec<_> = ids.into_iter().map(|id| world.capture(id, 700, true)).collect();
    join_all(captures.iter().map(|capture| world.settled(capture))).await;
    let totals = come_to(&world, 6, "4200", "0").await;
    assert_eq!(totals["days"].as_array().unwrap().len(), 1, "{totals}");
}

#[tokio::test]
async fn what_a_dropped_block_took_back_is_taken_off_the_sums() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    let before = world.cluster.state().clone();
    world.settled(&world.capture(id, 700, true)).await;
    come_to(&world, 1, "700", "0").await;
    world.cluster.drop_blocks_since(before);
    world.cluster.state().loses_transactions = true;
    world.until_booked(id, "held").await;
    come_to(&world, 0, "0", "0").await;
}

#[tokio::test]
async fn what_was_not_booked_before_a_crash_is_booked_after_it() {
    let mut world = World::new().await;
    let id = world.authorize(1000, 1).await;
    world.settled(&world.capture(id, 1000, true)).await;
    world.crash().await;
    world.restart(Options::default()).await;
    world.until_booked(id, "paid").await;
    come_to(&world, 1, "1000", "0").await;
}
