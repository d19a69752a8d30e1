//! What the caller is told.

use serde_json::json;
use x402_escrow_agent::{FetchError, Outcome, Request};
use x402_escrow_interface::message::Intent;
use x402_escrow_wire::{
    auth_capture::{Extra, IntentPayload},
    payment::PaymentPayload,
    payment_identifier::{self, EXTENSION, Offer, declaration},
    text::{Decimal, Hex32},
};

use crate::peers::{PRICE, Paid, Peers, served};

fn intent(payment: &PaymentPayload) -> Intent {
    let payload: IntentPayload = serde_json::from_value(payment.payload.clone()).unwrap();
    payload.intent(&payment.accepted, &Extra::read(&payment.accepted).unwrap())
}

fn report(peers: &Peers) -> Request {
    Request::get(&format!("{}/report", peers.url))
}

#[tokio::test]
async fn a_paid_response_comes_with_a_receipt() {
    let peers = Peers::start().await;
    let request = Request::post_json(&format!("{}/translate", peers.url), &json!({"text": "hello"}));
    let fetched = served(&peers.agent(PRICE), &request).await;
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
    let fetched = served(&peers.agent(PRICE), &Request::get(&format!("{}/free", peers.url))).await;
    assert_eq!((fetched.status, fetched.payment), (200, None));
    assert!(peers.asked().is_empty());
}

#[tokio::test]
async fn a_refused_payment_is_told_with_how_long_it_can_settle_and_not_made_again() {
    let peers = Peers::start().await;
    peers.when_paid(Paid::Refuse);
    let outcome = peers.agent(PRICE).fetch(&report(&peers)).await.unwrap();
    assert_eq!(outcome.reason(), Some("insufficient_funds"));
    let Outcome::Refused { response, may_settle_until } = outcome else { panic!("{outcome:?}") };
    assert_eq!(response.status, 402);
    let payments = peers.payments();
    assert_eq!(payments.len(), 1);
    // The server may have it held, whatever it says.
    assert_eq!(may_settle_until, payments[0].accepted.extra["captureDeadline"].as_i64());
}

#[tokio::test]
async fn an_unpaid_answer_that_is_not_2xx_can_not_settle() {
    let peers = Peers::start().await;
    let outcome = peers.agent(PRICE).fetch(&Request::get(&format!("{}/missing", peers.url))).await.unwrap();
    let Outcome::Refused { response, may_settle_until: None } = outcome else { panic!("{outcome:?}") };
    assert_eq!((response.status, response.payment), (404, None));
}

#[tokio::test]
async fn a_payment_without_an_answer_is_unknown_until_it_can_not_settle_and_is_not_made_again() {
    let peers = Peers::start().await;
    peers.when_paid(Paid::HangUp);
    let outcome = peers.agent(PRICE).fetch(&report(&peers)).await.unwrap();
    let Outcome::Unknown { response: None, payment, until, reason } = outcome else { panic!("{outcome:?}") };
    let payments = peers.payments();
    assert_eq!(payments.len(), 1);
    assert_eq!((payment.payment_id, payment.amount), (Hex32(intent(&payments[0]).digest()), PRICE));
    assert_eq!(Some(until), payments[0].accepted.extra["captureDeadline"].as_i64());
    assert!(reason.contains("no answer"), "{reason}");
}

#[tokio::test]
async fn a_paid_answer_that_is_neither_a_yes_nor_a_no_leaves_it_open() {
    for status in [500, 404, 304] {
        let peers = Peers::start().await;
        peers.when_paid(Paid::Status(status));
        let outcome = peers.agent(PRICE).fetch(&report(&peers)).await.unwrap();
        let Outcome::Unknown { response: Some(response), .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(response.status, status);
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_under_the_same_id_and_not_paid_again() {
    let peers = Peers::start().await;
    peers.alter_challenge(|challenge| {
        challenge["extensions"] = json!({ EXTENSION: declaration(Offer::Required), "other": { "info": 1 } });
    });
    peers.when_paid(Paid::LoseAnswer);
    let fetched = served(&peers.counting_agent(PRICE), &report(&peers)).await;
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
    let outcome = peers.agent(PRICE).fetch(&report(&peers)).await.unwrap();
    assert_eq!(outcome.response().unwrap().status, 307);
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
