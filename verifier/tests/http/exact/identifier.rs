//! Purchases that have an id: asked for again, they are paid once and answered alike.

mod kept;

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use solana_sdk::signer::Signer;
use x402_escrow_wire::payment::PaymentRequirements;

use super::wallet::{body, buyers_tokens, draft, payment_id, requirements};
use crate::world::{Options, World, identified, keypair};

const ID: &str = "pay_0123456789abcdef";
const FIELD: &str = "paymentPayload.extensions.payment-identifier.info.id";

/// What a server asks for that keeps purchases apart by their ids.
fn terms(world: &World, offer: &str) -> PaymentRequirements {
    let mut terms = requirements(world, 1000);
    terms.extra.insert("paymentIdentifier".to_owned(), json!(offer));
    terms
}

/// A purchase with an id, for these terms. `nonce` tells its transaction from others.
fn purchase(world: &World, terms: &PaymentRequirements, nonce: &str, id: &str) -> Value {
    identified(body(terms, &draft(world, terms, nonce).signed(world)), id)
}

async fn verify(world: &World, body: &Value) -> Value {
    let (status, verdict) = world.post("/verify", body).await;
    assert_eq!(status, StatusCode::OK, "{verdict}");
    verdict["isValid"].clone()
}

async fn assert_conflict(world: &World, body: &Value) {
    let before = (buyers_tokens(world), world.exact_rows().await, world.cluster.distinct_sent());
    for path in ["/verify", "/settle"] {
        let (status, answer) = world.post(path, body).await;
        assert_eq!(status, StatusCode::CONFLICT, "{answer}");
        assert_eq!(answer["error"]["code"], json!("payment_identifier_conflict"));
        assert_eq!(answer["error"]["field"], json!(FIELD));
    }
    assert_eq!((buyers_tokens(world), world.exact_rows().await, world.cluster.distinct_sent()), before);
}

#[tokio::test]
async fn the_same_purchase_is_told_the_same_yes_also_after_a_restart() {
    let mut world = World::new().await;
    let body = purchase(&world, &terms(&world, "optional"), "nonce", ID);
    assert_eq!(verify(&world, &body).await, true);
    let first = world.settled(&body).await;
    assert_eq!(first["extra"]["alreadySettled"], false, "{first}");
    for restart in [false, true] {
        if restart {
            world.restart(Options::default()).await;
        }
        assert_eq!(verify(&world, &body).await, true, "its handler may not have run");
        let again = world.settle(&body).await;
        assert_eq!(again["extra"]["alreadySettled"], true, "{again}");
        for member in ["success", "payer", "transaction", "network", "amount"] {
            assert_eq!(again[member], first[member], "{again}");
        }
    }
    assert_eq!((world.received(), world.cluster.distinct_sent(), world.exact_rows().await), (1000, 1, 1));
}

/// To a server that has not heard of ids, each yes is a purchase: a client must not get two by naming one.
#[tokio::test]
async fn a_server_that_does_not_offer_ids_is_told_yes_once_whatever_the_client_writes() {
    let world = World::new().await;
    let body = purchase(&world, &requirements(&world, 1000), "nonce", ID);
    world.settled(&body).await;
    let again = world.settle(&body).await;
    assert_eq!(again["errorReason"], json!("duplicate_settlement"), "{again}");
    assert_eq!(verify(&world, &body).await, false);
    assert_eq!(world.received(), 1000);
}

#[tokio::test]
async fn without_its_id_the_same_payment_is_a_duplicate() {
    let world = World::new().await;
    let terms = terms(&world, "optional");
    let named = purchase(&world, &terms, "nonce", ID);
    world.settled(&named).await;
    let mut other = named.clone();
    other["paymentPayload"]["extensions"] = Value::Null;
    assert_eq!(world.settle(&other).await["errorReason"], json!("duplicate_settlement"));
    let other = identified(named.clone(), "pay_another_0123456789");
    assert_eq!(world.settle(&other).await["errorReason"], json!("duplicate_settlement"));
    world.settled(&named).await;
    assert_eq!(world.received(), 1000);
}

#[tokio::test]
async fn another_payment_under_the_same_id_is_a_conflict() {
    let world = World::new().await;
    for (offer, id) in [("optional", ID), ("required", "pay_required_0123456")] {
        let terms = terms(&world, offer);
        world.settled(&purchase(&world, &terms, offer, id)).await;
        assert_conflict(&world, &purchase(&world, &terms, "another", id)).await;
    }
    // It is the client that broke its word, whether or not the server offers ids.
    let plain = requirements(&world, 1000);
    assert_conflict(&world, &purchase(&world, &plain, "a third", ID)).await;
    world.settled(&purchase(&world, &plain, "a third", "pay_of_its_own_012345")).await;
}

#[tokio::test]
async fn a_malformed_id_and_a_missing_one_are_told_by_their_field() {
    let world = World::new().await;
    let (optional, required) = (terms(&world, "optional"), terms(&world, "required"));
    let missing = super::wallet::body(&required, &draft(&world, &required, "nonce").signed(&world));
    let mut echoed = super::wallet::body(&optional, &draft(&world, &optional, "nonce").signed(&world));
    echoed["paymentPayload"]["extensions"] =
        json!({ "payment-identifier": { "info": { "required": true } } });
    let bad = |id: &str| purchase(&world, &optional, "nonce", id);
    for body in [missing, echoed, bad("short"), bad(&"x".repeat(129)), bad("has spaces in its mid"), bad("")]
    {
        for path in ["/verify", "/settle"] {
            let (status, answer) = world.post(path, &body).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
            assert_eq!(
                (&answer["error"]["code"], &answer["error"]["field"]),
                (&json!("bad_request"), &json!(FIELD))
            );
        }
    }
    assert_eq!((world.received(), world.exact_rows().await), (0, 0));
}

#[tokio::test]
async fn one_payers_ids_are_no_other_payers() {
    let world = World::new().await;
    let terms = terms(&world, "optional");
    world.settled(&purchase(&world, &terms, "nonce", ID)).await;
    // A stranger that saw the id has neither its answer nor its place.
    let stranger = keypair(40);
    let source = world.set_token_account(
        stranger.pubkey(),
        spl_token_interface::state::AccountState::Initialized,
        5000,
    );
    let mut draft = draft(&world, &terms, "nonce");
    draft.instructions[2].accounts[0].pubkey = source;
    draft.instructions[2].accounts[3].pubkey = stranger.pubkey();
    let theirs = super::wallet::signed_by(draft.unsigned(&world), &[&stranger]);
    let answer = world.settled(&identified(body(&terms, &theirs), ID)).await;
    assert_eq!(answer["payer"], json!(stranger.pubkey().to_string()));
    assert_eq!(answer["extra"]["alreadySettled"], false);
    assert_eq!((world.received(), world.exact_rows().await), (2000, 2));
}

#[tokio::test]
async fn a_hundred_equal_requests_at_once_are_one_payment_and_a_hundred_equal_answers() {
    let world = World::with(Options { settle_timeout: Duration::from_secs(20), ..Options::default() }).await;
    let body = purchase(&world, &terms(&world, "required"), "nonce", ID);
    let answers = futures_util::future::join_all((0..100).map(|_| world.settle(&body))).await;
    let mut first_told = 0;
    for answer in &answers {
        assert_eq!(answer["success"], true, "{answer}");
        assert_eq!(answer["transaction"], answers[0]["transaction"]);
        first_told += usize::from(answer["extra"]["alreadySettled"] == json!(false));
    }
    assert_eq!(first_told, 1, "one of them is told that it is the first");
    assert_eq!((world.received(), world.cluster.distinct_sent(), world.exact_rows().await), (1000, 1, 1));
}

#[tokio::test]
async fn of_different_payments_under_one_id_at_once_one_is_paid() {
    let world = World::with(Options { settle_timeout: Duration::from_secs(20), ..Options::default() }).await;
    let terms = terms(&world, "optional");
    let bodies: Vec<_> = (0..10).map(|nonce| purchase(&world, &terms, &nonce.to_string(), ID)).collect();
    let answers = futures_util::future::join_all(bodies.iter().map(|body| world.post("/settle", body))).await;
    let paid = answers.iter().filter(|(status, _)| *status == StatusCode::OK).count();
    let conflicts = answers.iter().filter(|(status, _)| *status == StatusCode::CONFLICT).count();
    assert_eq!((paid, conflicts), (1, 9), "{answers:#?}");
    assert_eq!((world.received(), world.exact_rows().await), (1000, 1));
}

#[tokio::test]
async fn a_crash_between_payment_and_answer_loses_neither() {
    let short = || Options { settle_timeout: Duration::from_millis(300), ..Options::default() };
    let mut world = World::with(short()).await;
    let terms = terms(&world, "optional");
    world.cluster.state().loses_transactions = true;
    let body = purchase(&world, &terms, "nonce", ID);
    let id = payment_id(&body);
    let pending = world.settle(&body).await;
    assert_eq!(pending["errorReason"], json!("settlement_pending"), "{pending}");
    world.crash().await;
    world.restart(short()).await;
    assert_conflict(&world, &purchase(&world, &terms, "another", ID)).await;
    assert_eq!(
        world.settle(&body).await["errorReason"],
        json!("settlement_pending"),
        "no answer is kept for good"
    );
    world.cluster.state().loses_transactions = false;
    world.until(id, |payment| payment["status"] == "confirmed").await;
    for told_before in [false, true] {
        let answer = world.settled(&body).await;
        assert_eq!(answer["extra"]["alreadySettled"], told_before, "{answer}");
    }
    assert_eq!((world.received(), world.cluster.distinct_sent(), world.exact_rows().await), (1000, 1, 1));
}

#[tokio::test]
async fn what_bought_nothing_has_used_no_id() {
    let world = World::new().await;
    let terms = terms(&world, "optional");
    let mut dear = terms.clone();
    dear.amount.0 = buyers_tokens(&world) + 1;
    let refused = world.settle(&purchase(&world, &dear, "nonce", ID)).await;
    assert_eq!(refused["errorReason"], json!("invalid_exact_svm_transaction_simulation_failed"), "{refused}");
    world.settled(&purchase(&world, &terms, "nonce", ID)).await;
    assert_eq!(world.received(), 1000);
}

/// The answer is not a copy of the first one: who asks again learns what is true now.
#[tokio::test]
async fn a_purchase_that_failed_on_chain_is_told_so_again() {
    use solana_sdk::{instruction::InstructionError, transaction::TransactionError};
    let world = World::new().await;
    let error = TransactionError::InstructionError(2, InstructionError::Custom(1));
    world.cluster.state().next_error = Some(error);
    let body = purchase(&world, &terms(&world, "optional"), "nonce", ID);
    for _ in 0..2 {
        let answer = world.settle(&body).await;
        assert_eq!(answer["errorReason"], json!("invalid_exact_svm_transaction_failed"), "{answer}");
        assert_eq!(verify(&world, &body).await, false);
    }
    assert_eq!((world.received(), world.sent()), (0, 1));
}
