//! `/settle` of captures and voids.

mod already;
mod fee;

use std::time::Duration;

use serde_json::{Value, json};
use spl_token_interface::state::AccountState;
use x402_escrow_interface::error::EscrowError;
use x402_escrow_wire::{
    auth_capture::Commitment,
    text::{Base58, Hex32},
};

use crate::world::{FUNDS, Options, World};

const CAPTURE: &str = "invalid_auth_capture_svm_capture";
const RELEASE: &str = "invalid_auth_capture_svm_release";

/// Asserts that `/verify` and `/settle` say no with `code` and a message that has `part`, and that nothing changed.
async fn assert_refused(world: &World, body: &Value, code: &str, part: &str) {
    let before = world.everything().await;
    let (_, answer) = world.post("/verify", body).await;
    assert_eq!((&answer["isValid"], &answer["invalidReason"]), (&json!(false), &json!(code)), "{answer}");
    let answer = world.settle(body).await;
    assert_eq!((&answer["success"], &answer["errorReason"]), (&json!(false), &json!(code)), "{answer}");
    assert!(answer["errorMessage"].as_str().unwrap().contains(part), "{part:?} is not in {answer}");
    assert_eq!(world.everything().await, before);
}

async fn assert_settled(world: &World, body: &Value, amount: &str, state: &str) {
    let answer = world.settle(body).await;
    assert_eq!(answer["success"], true, "{answer}");
    assert_eq!((&answer["amount"], &answer["extra"]["state"]), (&json!(amount), &json!(state)), "{answer}");
}

fn balances(world: &World) -> (u64, u64, u64) {
    let escrow = world.escrow_account();
    (escrow.balance, escrow.held, world.received())
}

#[tokio::test]
async fn a_full_capture_pays_the_receiver_and_ends_the_payment() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    assert_settled(&world, &world.capture(id, 1000, true), "1000", "ended").await;
    assert_eq!(balances(&world), (FUNDS - 1000, 0, 1000));
}

#[tokio::test]
async fn a_last_capture_releases_the_rest() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    assert_settled(&world, &world.capture(id, 300, true), "300", "ended").await;
    assert_eq!(balances(&world), (FUNDS - 300, 0, 300));
    let payment = world.payment(id).await;
    assert_eq!((&payment["captured"], &payment["released"]), (&json!("300"), &json!("700")));
}

#[tokio::test]
async fn captures_are_cumulative_and_a_void_releases_the_rest() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    assert_settled(&world, &world.capture(id, 300, false), "300", "captured").await;
    assert_settled(&world, &world.capture(id, 500, false), "200", "captured").await;
    assert_eq!(balances(&world), (FUNDS - 500, 500, 500));
    assert_settled(&world, &world.void(id, 600), "0", "captured").await;
    assert_eq!(balances(&world), (FUNDS - 500, 100, 500));
    assert_settled(&world, &world.void(id, 500), "0", "ended").await;
    assert_eq!(balances(&world), (FUNDS - 500, 0, 500));
}

#[tokio::test]
async fn a_void_gives_all_back() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    assert_settled(&world, &world.void(id, 0), "0", "ended").await;
    assert_eq!(balances(&world), (FUNDS, 0, 0));
}

#[tokio::test]
async fn the_same_capture_again_pays_nothing_more() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    let body = world.capture(id, 400, false);
    let answers = futures_util::future::join_all((0..50).map(|_| world.settle(&body))).await;
    for answer in &answers {
        assert_eq!((&answer["success"], &answer["transaction"]), (&json!(true), &answers[0]["transaction"]));
    }
    assert_eq!(balances(&world), (FUNDS - 400, 600, 400));
    assert_eq!(world.sent(), 2, "the hold and one capture");
    let answer = world.settle(&body).await;
    assert_eq!((&answer["success"], &answer["extra"]["alreadySettled"]), (&json!(true), &json!(true)));
}

#[tokio::test]
async fn captures_at_once_never_pay_more_than_the_hold() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    let bodies: Vec<_> = (1..=20).map(|step| world.capture(id, step * 60, false)).collect();
    futures_util::future::join_all(bodies.iter().map(|body| world.settle(body))).await;
    let (balance, held, received) = balances(&world);
    assert!(received <= 1000 && received.is_multiple_of(60), "{received}");
    assert_eq!((balance, held), (FUNDS - received, 1000 - received));
    let payment = world.payment(id).await;
    assert_eq!(payment["captured"], received.to_string(), "what is reported is what was paid: {payment}");
}

#[tokio::test]
async fn a_capture_beyond_its_bounds_is_refused() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    assert_refused(&world, &world.capture(id, 1001, false), CAPTURE, "payload.amount: 1001").await;
    assert_refused(&world, &world.capture(id, 0, false), CAPTURE, "payload.amount").await;
    assert_settled(&world, &world.capture(id, 400, false), "400", "captured").await;
    assert_refused(
        &world,
        &world.capture(id, 399, true),
        CAPTURE,
        "above the 400 base units that are captured",
    )
    .await;
}

#[tokio::test]
async fn a_capture_after_its_deadline_is_refused_and_a_void_is_not() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    world.cluster.pass_seconds(601);
    assert_refused(&world, &world.capture(id, 1000, true), CAPTURE, "capture deadline").await;
    assert_settled(&world, &world.void(id, 0), "0", "ended").await;
}

#[tokio::test]
async fn only_the_authorizers_signature_moves_money() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    let code = "invalid_auth_capture_svm_authorizer_signature";
    for good in [world.capture(id, 400, false), world.void(id, 400)] {
        for (name, value) in [
            ("signature", json!(Base58([9; 64]))),
            ("amount", json!("401")),
            ("fee", json!("1")),
            ("last", json!(true)),
        ] {
            let mut body = good.clone();
            if body["paymentPayload"]["payload"][name].is_null() {
                continue;
            }
            body["paymentPayload"]["payload"][name] = value;
            assert_refused(&world, &body, code, "payload.signature").await;
        }
    }
    // A signed capture is no release, and the other way round.
    let mut body = world.void(id, 400);
    body["paymentPayload"]["payload"]["signature"] =
        world.capture(id, 400, false)["paymentPayload"]["payload"]["signature"].clone();
    assert_refused(&world, &body, code, "receiver authorizer").await;
}

#[tokio::test]
async fn an_unknown_payment_is_refused() {
    let world = World::new().await;
    let id = Hex32([7; 32]);
    let code = "invalid_auth_capture_svm_payment_not_found";
    assert_refused(&world, &world.capture(id, 1, false), code, "payload.paymentId").await;
    assert_refused(&world, &world.void(id, 1), code, "payload.paymentId").await;
}

#[tokio::test]
async fn an_unreadable_operation_is_refused_by_field() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    for name in ["paymentId", "amount", "last", "signature", "fee"] {
        let mut body = world.capture(id, 400, false);
        body["paymentPayload"]["payload"][name] = json!({});
        assert_refused(&world, &body, "invalid_payload", &format!("paymentPayload.payload.{name}")).await;
    }
    for (name, value, code) in [
        ("network", "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "invalid_network"),
        ("scheme", "upto", "unsupported_scheme"),
        ("asset", &world.fee_payer().to_string(), "invalid_auth_capture_svm_asset_mismatch"),
        ("payTo", &world.fee_payer().to_string(), "invalid_payment_requirements"),
    ] {
        let mut body = world.capture(id, 400, false);
        body["paymentRequirements"][name] = json!(value);
        assert_refused(&world, &body, code, name).await;
    }
}

#[tokio::test]
async fn a_payment_that_is_not_held_yet_can_not_be_captured() {
    let world =
        World::with(Options { settle_timeout: Duration::from_millis(1500), ..Options::default() }).await;
    world.cluster.state().loses_transactions = true;
    let body = world.body(&world.requirements(1000), 1);
    assert_eq!(world.settle(&body).await["errorReason"], "settlement_pending");
    let id = world.payment_id(&body);
    assert_refused(&world, &world.capture(id, 1000, true), "settlement_pending", "unsettled").await;
    assert_refused(&world, &world.void(id, 0), "settlement_pending", "unsettled").await;
}

#[tokio::test]
async fn a_payment_that_came_to_nothing_can_not_be_captured() {
    let world = World::new().await;
    let body = world.body(&world.requirements(1000), 1);
    world.cluster.state().level = Commitment::Finalized;
    world.fail_next(0, EscrowError::InsufficientFreeBalance);
    assert_eq!(world.settle(&body).await["errorReason"], "insufficient_funds");
    let id = world.payment_id(&body);
    assert_refused(&world, &world.capture(id, 1000, true), CAPTURE, "failed").await;
    assert_refused(&world, &world.void(id, 0), RELEASE, "failed").await;
}

#[tokio::test]
async fn a_capture_to_a_frozen_account_is_kept_until_it_thaws() {
    let world = World::with(Options { settle_timeout: Duration::from_secs(2), ..Options::default() }).await;
    let id = world.authorize(1000, 1).await;
    world.set_token_account(world.merchant(), AccountState::Frozen, 0);
    let body = world.capture(id, 1000, true);
    world.settle(&body).await;
    world.until(id, |payment| payment["operations"][1]["error"].is_object()).await;
    let answer = world.settle(&body).await;
    assert_eq!(answer["success"], false, "{answer}");
    assert_eq!(answer["errorReason"], "invalid_transaction_state", "{answer}");
    let message = answer["errorMessage"].as_str().unwrap();
    assert!(message.contains("frozen") && message.contains("it is stored"), "{answer}");
    assert_eq!(balances(&world), (FUNDS, 1000, 0));

    world.set_token_account(world.merchant(), AccountState::Initialized, 0);
    world.until(id, |payment| payment["state"] == "ended").await;
    assert_eq!(balances(&world), (FUNDS - 1000, 0, 1000));
    world.settled(&body).await;
}
