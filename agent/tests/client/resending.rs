//! Payments are sent again where their answer got lost, and a repeat that the server has had before is no answer.

use serde_json::json;
use x402_escrow_wire::payment_identifier::{EXTENSION, Offer, declaration};

use crate::peers::{DUPLICATE, PRICE, Paid, Peers, told};

/// A server that takes ids.
async fn peers() -> Peers {
    let peers = Peers::start().await;
    peers.alter_challenge(|challenge| {
        challenge["extensions"] = json!({ EXTENSION: declaration(Offer::Required) });
    });
    peers
}

#[tokio::test]
async fn a_repeat_that_the_server_has_had_before_says_nothing_about_the_purchase() {
    let peers = peers().await;
    peers.answer_next([Paid::HangUp, Paid::Say(DUPLICATE)]);
    assert_eq!(told(&peers, &peers.agent(PRICE), "/report").await, "unknown");
    assert_eq!(peers.payments().len(), 2);
}

#[tokio::test]
async fn a_no_to_a_repeat_says_nothing_about_the_first_sending() {
    let peers = peers().await;
    peers.answer_next([Paid::HangUp, Paid::Refuse]);
    assert_eq!(told(&peers, &peers.agent(PRICE), "/report").await, "unknown");
    assert_eq!(peers.payments().len(), 2);
}

#[tokio::test]
async fn what_proxies_answer_for_a_server_is_no_answer() {
    for status in [502, 503, 504] {
        let peers = peers().await;
        peers.answer_next([Paid::Status(status)]);
        assert_eq!(told(&peers, &peers.agent(PRICE), "/report").await, "served", "{status}");
        assert_eq!(peers.payments().len(), 2);
    }
}

#[tokio::test]
async fn an_undecided_settlement_is_asked_about_again() {
    for reason in ["settlement_pending", "unexpected_settle_error"] {
        let peers = peers().await;
        peers.answer_next([Paid::Say(reason), Paid::Say(reason)]);
        assert_eq!(told(&peers, &peers.agent(PRICE), "/report").await, "served", "{reason}");
        assert_eq!(peers.payments().len(), 3);
    }
}

#[tokio::test]
async fn three_sendings_without_an_answer_leave_the_outcome_unknown() {
    let peers = peers().await;
    peers.when_paid(Paid::Status(503));
    assert_eq!(told(&peers, &peers.agent(PRICE), "/report").await, "unknown");
    assert_eq!(peers.payments().len(), 3);
}

#[tokio::test]
async fn a_payment_without_an_id_is_sent_once() {
    let peers = Peers::start().await;
    peers.when_paid(Paid::Status(503));
    assert_eq!(told(&peers, &peers.agent(PRICE), "/report").await, "unknown");
    assert_eq!(peers.payments().len(), 1);
}
