//! What the caller is told.

use serde_json::json;
use x402_escrow_agent::{FetchError, Request};
use x402_escrow_interface::message::Intent;
use x402_escrow_wire::{
    auth_capture::{Extra, IntentPayload},
    payment::PaymentPayload,
    payment_identifier::{self, EXTENSION, Offer, declaration},
    text::{Decimal, Hex32},
};

use crate::peers::{PRICE, Paid, Peers};

fn intent(payment: &PaymentPayload) -> Intent {
    let payload: IntentPayload = serde_json::from_value(payment.payload.clone()).unwrap();
    payload.intent(&payment.accepted, &Extra::read(&payment.accepted).unwrap())
}

#[tokio::test]
async fn a_paid_response_comes_with_a_receipt() {
    let peers = Peers::start().await;
    let request = Request::post_json(&format!("{}/translate", peers.url), &json!({"text": "hello"}));
    let fetched = peers.agent(PRICE).fetch(&request).await.unwrap();
    assert_eq!((fetched.status, fetched.body.as_slice()), (200, b"sold".as_slice()));
    let receipt = fetched.payment.unwrap();
    let payments = peers.payments();
    assert_eq!(payments.len(), 1);
    assert_eq!(receipt.payment_id, Hex32(intent(&payments[0]).digest()));
    assert_eq!(receipt.amount, PRICE);
    assert_eq!(receipt.settlement.unwrap().amount, Some(Decimal(700)), "less was captured than signed for");
}

#[tokio::test]
async fn what_is_free_is_not_paid() {
    let peers = Peers::start().await;
    let fetched = peers.agent(PRICE).fetch(&Request::get(&format!("{}/free", peers.url))).await.unwrap();
    assert_eq!((fetched.status, fetched.payment), (200, None));
    assert!(peers.asked().is_empty());
}

#[tokio::test]
async fn a_refused_payment_is_told_and_not_made_again() {
    let peers = Peers::start().await;
    peers.when_paid(Paid::Refuse);
    let fetched = peers.agent(PRICE).fetch(&Request::get(&format!("{}/report", peers.url))).await.unwrap();
    assert_eq!(fetched.status, 402);
    let settlement = fetched.payment.unwrap().settlement.unwrap();
    assert_eq!(settlement.error_reason.as_deref(), Some("insufficient_funds"));
    assert_eq!(peers.payments().len(), 1);
}

#[tokio::test]
async fn a_payment_without_an_answer_can_be_looked_up_and_is_not_made_again() {
    let peers = Peers::start().await;
    peers.when_paid(Paid::HangUp);
    let error = peers.agent(PRICE).fetch(&Request::get(&format!("{}/report", peers.url))).await.unwrap_err();
    let message = error.to_string();
    let FetchError::NoAnswerAfterPayment { payment_id, amount, .. } = error else { panic!("{message}") };
    let payments = peers.payments();
    assert_eq!(payments.len(), 1);
    assert_eq!((payment_id, amount), (Hex32(intent(&payments[0]).digest()), PRICE));
    assert!(message.contains(&format!("{}/payments/{payment_id}", peers.url)), "{message}");
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_under_the_same_id_and_not_paid_again() {
    let peers = Peers::start().await;
    peers.alter_challenge(|challenge| {
        challenge["extensions"] = json!({ EXTENSION: declaration(Offer::Required), "other": { "info": 1 } });
    });
    peers.when_paid(Paid::LoseAnswer);
    let fetched =
        peers.counting_agent(PRICE).fetch(&Request::get(&format!("{}/report", peers.url))).await.unwrap();
    assert_eq!((fetched.status, fetched.body.as_slice()), (200, b"sold".as_slice()));
    let payments = peers.payments();
    assert_eq!((payments.len(), &payments[0]), (2, &payments[1]), "the same payment, under the same id");
    let extensions = payments[0].extensions.as_ref().unwrap();
    assert_eq!(extensions["other"], json!({ "info": 1 }));
    let info = payment_identifier::read(Some(extensions)).unwrap().unwrap();
    assert_eq!(info.id.unwrap().to_string(), format!("pay_{}", Hex32(intent(&payments[0]).digest())));
    assert_eq!(peers.spending().signed_for().unwrap(), PRICE, "it counts once");
}

#[tokio::test]
async fn a_payment_is_not_carried_to_where_the_server_redirects() {
    let peers = Peers::start().await;
    peers.when_paid(Paid::Redirect);
    let fetched = peers.agent(PRICE).fetch(&Request::get(&format!("{}/report", peers.url))).await.unwrap();
    assert_eq!(fetched.status, 307);
    assert_eq!(peers.payments().len(), 1);
}

#[tokio::test]
async fn other_versions_and_unreadable_challenges_are_named() {
    let peers = Peers::start().await;
    let request = Request::get(&format!("{}/report", peers.url));
    peers.alter_challenge(|challenge| challenge["x402Version"] = json!(1));
    let error = peers.agent(PRICE).fetch(&request).await.unwrap_err();
    assert!(matches!(&error, FetchError::NotX402(message) if message.contains("x402Version")), "{error}");
    peers.alter_challenge(|challenge| challenge["accepts"] = json!("none"));
    let error = peers.agent(PRICE).fetch(&request).await.unwrap_err();
    assert!(matches!(error, FetchError::NotX402(_)), "{error}");
    assert!(peers.asked().is_empty());
}

#[tokio::test]
async fn a_server_that_is_not_there_costs_nothing() {
    let peers = Peers::start().await;
    let error = peers.counting_agent(PRICE).fetch(&Request::get("http://127.0.0.1:1/")).await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
    assert_eq!(peers.spending().signed_for().unwrap(), 0);
}
