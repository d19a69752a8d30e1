//! What is true already is no failure.

use serde_json::{Value, json};

use super::{assert_settled, balances};
use crate::world::{FUNDS, World};

/// Asserts that `/verify` and `/settle` say yes, and that nothing changed.
async fn assert_true_already(world: &World, body: &Value) {
    let before = world.everything().await;
    let (_, answer) = world.post("/verify", body).await;
    assert_eq!(answer["isValid"], true, "{answer}");
    let answer = world.settle(body).await;
    assert_eq!(
        (&answer["success"], &answer["extra"]["alreadySettled"]),
        (&json!(true), &json!(true)),
        "{answer}"
    );
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn what_is_true_already_is_no_failure_and_costs_nothing() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    assert_true_already(&world, &world.void(id, 1000)).await;
    assert_settled(&world, &world.capture(id, 400, false), "400", "captured").await;
    for body in [world.capture(id, 400, false), world.capture(id, 1, false), world.void(id, 2000)] {
        assert_true_already(&world, &body).await;
    }
    assert_settled(&world, &world.void(id, 600), "0", "captured").await;
    assert_true_already(&world, &world.void(id, 700)).await;
    assert_settled(&world, &world.capture(id, 600, true), "200", "ended").await;
    for body in [world.capture(id, 600, false), world.void(id, 600), world.void(id, 0)] {
        assert_true_already(&world, &body).await;
    }
    assert_eq!(balances(&world), (FUNDS - 600, 0, 600));
}

#[tokio::test]
async fn a_void_below_what_is_captured_ends_the_payment_there() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    assert_settled(&world, &world.capture(id, 400, false), "400", "captured").await;
    assert_settled(&world, &world.void(id, 100), "0", "ended").await;
    assert_eq!(balances(&world), (FUNDS - 400, 0, 400));
    assert_eq!(world.payment(id).await["released"], "600");
}

/// Somebody captured under the merchant's signature without the verifier.
#[tokio::test]
async fn a_capture_that_is_on_chain_already_is_settled() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    let body = world.capture(id, 400, false);
    world.relay_operation(1, &body);
    assert_eq!(balances(&world), (FUNDS - 400, 600, 400));
    assert_settled(&world, &body, "400", "captured").await;
    assert_settled(&world, &world.capture(id, 1000, true), "600", "ended").await;
    assert_eq!(balances(&world), (FUNDS - 1000, 0, 1000));
}
