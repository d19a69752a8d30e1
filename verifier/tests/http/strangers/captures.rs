//! Captures without end on one payment.

use axum::http::StatusCode;
use tokio::time::timeout;
use x402_escrow_wire::{
    auth_capture::{Commitment, Level},
    text::Hex32,
};

use super::{SOON, assert_limited, attacked, post, served};
use crate::world::{Options, World};

/// Captures wait for nothing.
async fn world() -> World {
    let on_finalized_hold = Level::Reserved;
    let options = Options { on_finalized_hold, maximum_operations_per_payment: 4, ..Options::default() };
    let world = World::with(options).await;
    world.cluster.state().level = Commitment::Finalized;
    world
}

/// Waits until a capture can't be replaced by a higher one any more.
async fn on_chain(world: &World, id: Hex32, amount: u64) {
    let amount = amount.to_string();
    world.until(id, |payment| payment["captured"].as_str() == Some(&amount)).await;
}

#[tokio::test]
async fn a_capture_that_is_known_waits_for_no_writer() {
    let world = world().await;
    let id = world.authorize(1000, 1).await;
    let capture = world.capture(id, 1, false);
    world.settled(&capture).await;
    let lock = world.locked().await;
    let answered = timeout(SOON, world.settle(&capture)).await;
    assert_eq!(answered.expect("it is answered without the lock")["success"], true);
    lock.release().await;
}

#[tokio::test]
async fn a_payment_takes_so_many_captures_and_then_says_when_the_next() {
    let world = world().await;
    let (id, other) = (world.authorize(1000, 1).await, world.authorize(1000, 2).await);
    for amount in 1..=4 {
        let capture = world.capture(id, amount, false);
        assert_eq!(attacked(&world, post("/settle", &capture)).await.0, StatusCode::OK);
        on_chain(&world, id, amount).await;
    }
    let fifth = world.capture(id, 5, false);
    let before = world.rows().await;
    for path in ["/settle", "/verify"] {
        let (status, retry_after, body) = attacked(&world, post(path, &fifth)).await;
        let code = "too_many_operations";
        assert_eq!((status, &body["error"]["code"]), (StatusCode::TOO_MANY_REQUESTS, &code.into()));
        assert!((3500..=3600).contains(&retry_after.unwrap()), "{retry_after:?}");
    }
    assert_eq!(world.rows().await[1], before[1]);
    let answer = served(&world, post("/settle", &world.capture(other, 1000, true))).await;
    assert_eq!(answer["success"], true, "{answer}");
    assert_limited(&world, &[("maximum_operations_per_payment", 2)]).await;

    // What is known is answered as ever, and the receiver can end the payment.
    world.settled(&world.capture(id, 4, false)).await;
    world.settled(&world.void(id, 4)).await;
}

#[tokio::test]
async fn what_was_to_be_captured_is_so_an_hour_later() {
    let world = world().await;
    let id = world.authorize(1000, 1).await;
    for amount in 1..=4 {
        world.settled(&world.capture(id, amount, false)).await;
        on_chain(&world, id, amount).await;
    }
    world.backdate_operations(3601).await;
    world.settled(&world.capture(id, 5, false)).await;
    on_chain(&world, id, 5).await;
    assert_eq!(attacked(&world, post("/settle", &world.capture(id, 6, false))).await.0, 429);
}
