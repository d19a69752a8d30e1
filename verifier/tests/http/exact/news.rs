//! What is told of payments to whoever follows them, to the merchant's webhook, and to the operator.

use std::{num::NonZeroU32, time::Duration};

use axum::http::StatusCode;
use serde_json::{Value, json};
use solana_sdk::{instruction::InstructionError, transaction::TransactionError};
use x402_escrow_wire::auth_capture::Commitment;

use super::wallet::{payment, payment_id};
use crate::{
    events::Events,
    metrics::lines,
    wait,
    webhook::Server,
    world::{Options, World},
};

fn short() -> Options {
    Options { settle_timeout: Duration::from_millis(300), ..Options::default() }
}

#[tokio::test]
async fn a_follower_sees_a_payment_until_it_is_final_and_no_further() {
    let world = World::new().await;
    let body = payment(&world, 1000, "nonce");
    world.settled(&body).await;
    let id = payment_id(&body);
    let mut events = Events::of(&world, id).await;
    let first = events.until(|payment| payment["claimed"] == true).await;
    assert_eq!((&first["scheme"], &first["status"]), (&json!("exact"), &json!("confirmed")));
    assert_eq!(first, world.payment(id).await, "an event is what the payment's address answers");
    world.cluster.state().level = Commitment::Finalized;
    events.until(|payment| payment["status"] == "finalized").await;
    assert_eq!(events.next().await, None, "the stream ends");
}

#[tokio::test]
async fn a_dropped_block_is_told_to_followers_and_to_the_webhook() {
    let server = Server::start().await;
    let world = World::with(Options { webhook: server.options().webhook, ..short() }).await;
    let fork = world.cluster.state().clone();
    world.cluster.state().level = Commitment::Processed;
    let body = payment(&world, 1000, "nonce");
    assert_eq!(world.settle(&body).await["errorReason"], json!("settlement_pending"));
    let id = payment_id(&body);
    let mut events = Events::of(&world, id).await;
    events.until(|payment| payment["status"] == "processed").await;
    told(&server, "processed").await;
    world.cluster.drop_blocks_since(fork);
    world.cluster.state().loses_transactions = true;
    events.until(|payment| payment["status"] == "unsettled").await;
    let (message_id, message) = told(&server, "unsettled").await;
    assert!(message_id.starts_with(&id.to_string()), "{message_id}");
    assert_eq!((&message["type"], &message["data"]["paymentId"]), (&json!("payment"), &json!(id)));
    world.cluster.state().loses_transactions = false;
    events.until(|payment| payment["status"] == "confirmed").await;
    told(&server, "confirmed").await;
    let ids: std::collections::BTreeSet<_> = server.messages().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), server.messages().len(), "each news has an id of its own");
}

#[tokio::test]
async fn a_failure_and_an_expiry_are_news() {
    let server = Server::start().await;
    let world = World::with(Options { webhook: server.options().webhook, ..short() }).await;
    let error = TransactionError::InstructionError(2, InstructionError::Custom(1));
    world.cluster.state().next_error = Some(error);
    world.settle(&payment(&world, 1000, "fails")).await;
    told(&server, "failed").await;
    world.cluster.state().loses_transactions = true;
    world.settle(&payment(&world, 1000, "is lost")).await;
    world.cluster.outlive_blockhash();
    world.cluster.state().block_height += 150;
    told(&server, "expired").await;
}

/// Waits for a message that says this of the payment.
async fn told(server: &Server, status: &str) -> (String, Value) {
    server.told_of(status, |payment| payment["status"] == status).await
}

#[tokio::test]
async fn money_is_promised_and_counted_once_it_is_final() {
    let world = World::with(short()).await;
    let asset = world.mint;
    world.cluster.state().loses_transactions = true;
    let body = payment(&world, 1000, "nonce");
    assert_eq!(world.settle(&body).await["errorReason"], json!("settlement_pending"));
    let promised =
        format!(r#"x402_promised_base_units{{scheme="exact",asset="{asset}",age="under_1m"}} 1000.0"#);
    assert_eq!(lines(&world, "x402_promised_base_units").await, [promised]);
    let operations = |state: &str| [format!(r#"x402_operations{{kind="transfer",state="{state}"}} 1.0"#)];
    let is_sent = async || lines(&world, "x402_operations").await == operations("sent");
    wait::until("it to be sent", is_sent).await;

    world.cluster.state().loses_transactions = false;
    world.settled(&body).await;
    assert!(lines(&world, "x402_promised_base_units").await.is_empty());
    assert_eq!(lines(&world, "x402_operations").await, operations("confirmed"));
    assert!(lines(&world, "x402_captured_base_units_total").await.is_empty(), "confirmed is not final");
    world.cluster.state().level = Commitment::Finalized;
    world.until(payment_id(&body), |payment| payment["status"] == "finalized").await;
    let captured = [format!(r#"x402_captured_base_units_total{{scheme="exact",asset="{asset}"}} 1000"#)];
    let counted = async || lines(&world, "x402_captured_base_units_total").await;
    wait::until("the payment to be counted", async || counted().await == captured).await;
    assert!(lines(&world, "x402_operations").await.is_empty());

    assert_eq!(world.settle(&body).await["errorReason"], json!("duplicate_settlement"));
    let refused = r#"x402_refusals_total{route="/settle",code="duplicate_settlement"} 1"#.to_owned();
    assert!(lines(&world, "x402_refusals_total").await.contains(&refused));
}

#[tokio::test]
async fn a_payer_that_pays_too_often_is_told_when_to_try_again() {
    let options = Options {
        limit: |limits| limits.payments_per_minute.per_session = NonZeroU32::new(1),
        ..Options::default()
    };
    let world = World::with(options).await;
    let good = payment(&world, 1000, "one");
    // Nobody else uses up its share.
    let mut forged = good.clone();
    let requirements = super::wallet::requirements(&world, 1000);
    let unsigned = super::wallet::draft(&world, &requirements, "forged").unsigned(&world);
    forged["paymentPayload"]["payload"]["transaction"] = json!(super::wallet::encode(&unsigned));
    for _ in 0..3 {
        assert_eq!(world.settle(&forged).await["errorReason"], "invalid_exact_svm_payload_signature_invalid");
    }
    world.settled(&good).await;
    // The same again is no new payment.
    assert_eq!(world.settle(&good).await["errorReason"], json!("duplicate_settlement"));
    let (status, body) = world.post("/settle", &payment(&world, 1000, "two")).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (StatusCode::TOO_MANY_REQUESTS, &json!("too_many_requests"))
    );
    assert_eq!((world.received(), world.exact_rows().await), (1000, 1));
}
