//! `/settle` of intents.

mod relayed;

use std::time::Duration;

use serde_json::{Value, json};
use x402_escrow_interface::error::EscrowError;
use x402_escrow_wire::auth_capture::Commitment;

use crate::world::{FUNDS, Options, World};

#[tokio::test]
async fn holds_the_amount_and_reports_where() {
    let world = World::new().await;
    let body = world.body(&world.requirements(1000), 1);
    let answer = world.settle(&body).await;
    assert_eq!(answer["success"], true, "{answer}");
    assert_eq!(answer["amount"], "1000");
    assert_eq!(answer["network"], crate::world::NETWORK);
    let extra = &answer["extra"];
    assert_eq!(extra["paymentId"], world.payment_id(&body).to_string());
    assert_eq!((&extra["state"], &extra["status"]), (&json!("authorized"), &json!("confirmed")));
    assert_eq!(extra["commitmentRequired"], "processed");
    assert_eq!(
        (&extra["slot"], &extra["blockHash"]),
        (&json!(101), &json!(bs58::encode([101; 32]).into_string()))
    );
    assert_eq!((&extra["captured"], &extra["released"]), (&json!("0"), &json!("0")));
    assert_eq!(extra["alreadySettled"], false);
    let escrow = world.escrow_account();
    assert_eq!((escrow.balance, escrow.held, world.received()), (FUNDS, 1000, 0));
    assert_eq!(world.rows().await, [1, 1, 1]);
}

#[tokio::test]
async fn the_same_request_again_gets_the_same_answer_and_sends_nothing() {
    let world = World::new().await;
    let body = world.body(&world.requirements(1000), 1);
    let first = world.settle(&body).await;
    let before = world.everything().await;
    let mut again = world.settle(&body).await;
    assert_eq!(again["extra"]["alreadySettled"], true);
    again["extra"]["alreadySettled"] = json!(false);
    assert_eq!(again, first);
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn a_thousand_equal_requests_at_once_send_one_transaction() {
    let world = World::new().await;
    let body = world.body(&world.requirements(1000), 1);
    let answers = futures_util::future::join_all((0..1000).map(|_| world.settle(&body))).await;
    let firsts = answers.iter().filter(|answer| answer["extra"]["alreadySettled"] == false).count();
    assert_eq!(firsts, 1, "one of them was the first");
    let same = |answer: &Value| {
        let mut answer = answer.clone();
        answer["extra"].as_object_mut().unwrap().remove("alreadySettled");
        answer
    };
    for answer in &answers {
        assert_eq!(answer["success"], true, "{answer}");
        assert_eq!(same(answer), same(&answers[0]));
    }
    assert_eq!(world.cluster.distinct_sent(), 1);
    assert_eq!(world.escrow_account().held, 1000);
    assert_eq!(world.rows().await, [1, 1, 1]);
}

#[tokio::test]
async fn payments_at_once_are_never_promised_more_than_the_escrow_has() {
    let world = World::new().await;
    let bodies: Vec<_> = (1..=10).map(|nonce| world.body(&world.requirements(4_000_000), nonce)).collect();
    let answers = futures_util::future::join_all(bodies.iter().map(|body| world.settle(body))).await;
    let held = answers.iter().filter(|answer| answer["success"] == true).count();
    assert_eq!(held, 2, "two of 4 USDC fit into 10");
    for answer in answers.iter().filter(|answer| answer["success"] == false) {
        assert_eq!(answer["errorReason"], "insufficient_funds", "{answer}");
    }
    assert_eq!(world.escrow_account().held, 8_000_000);
    assert_eq!(world.rows().await, [2, 2, 2], "what was refused was never sent");
}

#[tokio::test]
async fn what_is_accepted_but_not_on_chain_is_reserved() {
    let world =
        World::with(Options { settle_timeout: Duration::from_millis(1500), ..Options::default() }).await;
    world.cluster.state().loses_transactions = true;
    for nonce in 1..=2 {
        let answer = world.settle(&world.body(&world.requirements(4_000_000), nonce)).await;
        assert_eq!(answer["errorReason"], "settlement_pending", "{answer}");
    }
    assert_eq!(world.escrow_account().held, 0);
    let body = world.body(&world.requirements(4_000_000), 3);
    let (_, answer) = world.post("/verify", &body).await;
    assert_eq!(answer["invalidReason"], "insufficient_funds", "{answer}");
    let told = "amount: 4 tokens is above the escrow's free balance of 2 tokens";
    assert_eq!(answer["invalidMessage"], told, "{answer}");
    assert_eq!(world.settle(&body).await["errorReason"], "insufficient_funds");
}

#[tokio::test]
async fn a_hold_that_the_confirmed_view_lacks_is_still_reserved() {
    let world = World::new().await;
    {
        let mut state = world.cluster.state();
        state.level = Commitment::Processed;
        state.confirmed = Some(state.svm.clone());
    }
    world.authorize(4_000_000, 1).await;
    world.authorize(4_000_000, 2).await;
    let body = world.body(&world.requirements(4_000_000), 3);
    assert_eq!(world.settle(&body).await["errorReason"], "insufficient_funds");
}

#[tokio::test]
async fn waits_for_the_commitment_that_policy_and_merchant_ask() {
    let options = Options {
        commitment: Commitment::Confirmed,
        settle_timeout: Duration::from_millis(1500),
        ..Options::default()
    };
    let world = World::with(options).await;
    world.cluster.state().level = Commitment::Processed;
    let mut requirements = world.requirements(1000);
    let body = world.body(&requirements, 1);
    world.settle(&body).await;
    let is_processed = |payment: &Value| payment["operations"][0]["status"] == "processed";
    world.until(world.payment_id(&body), is_processed).await;
    let answer = world.settle(&body).await;
    assert_eq!(answer["success"], false);
    assert_eq!(answer["errorReason"], "settlement_pending", "{answer}");
    assert!(!answer["transaction"].as_str().unwrap().is_empty());
    assert_eq!(answer["extra"]["status"], "processed");
    assert_eq!(answer["extra"]["blockHash"], Value::Null, "known once the block is confirmed");

    world.cluster.state().level = Commitment::Confirmed;
    let again = world.settled(&body).await;
    assert_eq!(again["transaction"], answer["transaction"], "{again}");
    assert_eq!(world.cluster.distinct_sent(), 1);

    requirements.extra.insert("commitment".to_owned(), json!("finalized"));
    let body = world.body(&requirements, 2);
    let answer = world.settle(&body).await;
    assert_eq!(
        (&answer["success"], &answer["extra"]["commitmentRequired"]),
        (&json!(false), &json!("finalized"))
    );
    world.cluster.state().level = Commitment::Finalized;
    let answer = world.settled(&body).await;
    assert_eq!(answer["extra"]["status"], "finalized");

    // A merchant can't ask for less than the policy.
    world.cluster.state().level = Commitment::Processed;
    requirements.extra.insert("commitment".to_owned(), json!("processed"));
    let answer = world.settle(&world.body(&requirements, 3)).await;
    assert_eq!(answer["extra"]["commitmentRequired"], "confirmed", "{answer}");
    assert_eq!(answer["success"], false);
}

#[tokio::test]
async fn what_fails_in_simulation_is_not_sent_and_can_be_tried_again() {
    let world =
        World::with(Options { settle_timeout: Duration::from_millis(1500), ..Options::default() }).await;
    let body = world.body(&world.requirements(1000), 1);
    // The node that is asked knows less than the one that is sent to: the facts look well, the simulation does not.
    let good = world.cluster.state().svm.clone();
    world.revoke_session();
    world.cluster.state().facts = Some((100, good));
    let answer = world.settle(&body).await;
    assert_eq!(answer["errorReason"], "invalid_auth_capture_svm_session_revoked", "{answer}");
    assert_eq!(answer["transaction"], "", "{answer}");
    assert_eq!(answer["extra"]["state"], "refused", "{answer}");
    assert_eq!(world.rows().await, [1, 1, 0], "nothing was broadcast");
    assert_eq!(world.escrow_account().held, 0);

    {
        let mut state = world.cluster.state();
        state.svm = state.facts.take().unwrap().1;
    }
    let answer = world.settled(&body).await;
    assert_eq!(answer["extra"]["state"], "authorized", "{answer}");
    assert_eq!(world.escrow_account().held, 1000);
}

#[tokio::test]
async fn what_fails_on_chain_is_reported_with_its_transaction() {
    let world = World::new().await;
    let body = world.body(&world.requirements(1000), 1);
    world.cluster.state().level = Commitment::Finalized;
    world.fail_next(0, EscrowError::InsufficientFreeBalance);
    let answer = world.settle(&body).await;
    assert_eq!(
        (&answer["success"], &answer["errorReason"]),
        (&json!(false), &json!("insufficient_funds")),
        "{answer}"
    );
    assert!(!answer["transaction"].as_str().unwrap().is_empty());
    assert_eq!((&answer["extra"]["state"], &answer["extra"]["status"]), (&json!("failed"), &json!("failed")));
    let payment = world.payment(world.payment_id(&body)).await;
    assert_eq!(payment["transactions"][0]["status"], "failed");
    assert!(
        payment["transactions"][0]["error"]["message"].as_str().unwrap().contains("free balance"),
        "{payment}"
    );

    // It failed for good, so the same intent can be tried again: by another transaction.
    world.cluster.outlive_blockhash();
    let answer = world.settle(&body).await;
    assert_eq!(answer["success"], true, "{answer}");
    let payment = world.payment(world.payment_id(&body)).await;
    assert_eq!(
        (&payment["state"], payment["transactions"].as_array().unwrap().len()),
        (&json!("authorized"), 2)
    );
}

/// The intent does not name the token: who settled it with the right one must not pass it on as another.
#[tokio::test]
async fn a_settled_payment_is_not_one_in_another_token() {
    let world = World::new().await;
    let body = world.body(&world.requirements(1000), 1);
    world.settled(&body).await;
    let mut other = body.clone();
    for pointer in ["/paymentPayload/accepted/asset", "/paymentRequirements/asset"] {
        *other.pointer_mut(pointer).unwrap() = json!(world.merchant().to_string());
    }
    assert_eq!(world.payment_id(&other), world.payment_id(&body), "the signature is as good for both");
    let answer = world.settle(&other).await;
    assert_eq!((&answer["success"], &answer["transaction"]), (&json!(false), &json!("")), "{answer}");
    assert_eq!(answer["errorReason"], "invalid_auth_capture_svm_asset_mismatch");
}

/// Nor does it say how final the hold must be: who settled it with less must not pass it on as more.
#[tokio::test]
async fn a_settled_payment_is_as_final_as_each_caller_asks() {
    let world =
        World::with(Options { settle_timeout: Duration::from_millis(1500), ..Options::default() }).await;
    world.cluster.state().level = Commitment::Processed;
    let mut requirements = world.requirements(1000);
    let payload = json!(world.payload(&requirements, 1));
    world.settled(&crate::world::envelope(&requirements, payload.clone())).await;
    requirements.extra.insert("commitment".to_owned(), json!("confirmed"));
    let strict = crate::world::envelope(&requirements, payload);
    let answer = world.settle(&strict).await;
    assert_eq!(
        (&answer["success"], &answer["errorReason"]),
        (&json!(false), &json!("settlement_pending")),
        "{answer}"
    );
    assert_eq!(answer["extra"]["commitmentRequired"], "confirmed");
    world.cluster.state().level = Commitment::Confirmed;
    world.settled(&strict).await;
}
