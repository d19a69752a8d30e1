//! Captures of one payment, each higher than the one before.

use serde_json::json;

use super::{short, store_all};
use crate::world::World;

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
