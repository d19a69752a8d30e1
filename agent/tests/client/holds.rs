//! How many holds a server can make an agent open, and whom it can keep waiting.

use serde_json::json;
use x402_escrow_agent::Request;

use crate::{
    peers::{CLOSED, NOT_FINAL, NOT_FOUND, PRICE, Paid, Peers, REPEATED, told, told_of},
    streams::{agent, amounts, ask, pay_to, streaming_server},
};

#[tokio::test]
async fn a_server_that_says_closed_at_will_gets_one_replacement_until_the_old_deadline() {
    let peers = streaming_server().await;
    peers.know(Some(json!({ "state": "authorized" })));
    let agent = agent(&peers);
    for _ in 0..20 {
        // What opens a hold is served, and each voucher after it refused.
        peers.answer_next([Paid::Serve, Paid::Say(CLOSED)]);
        told(&peers, &agent, "/report").await;
        told(&peers, &agent, "/report").await;
    }
    assert!(peers.asked().len() <= 2, "{} holds were opened", peers.asked().len());
}

#[tokio::test]
async fn a_hold_that_the_verifier_says_has_ended_is_replaced_as_often_as_it_ends() {
    let peers = streaming_server().await;
    peers.know(Some(json!({ "state": "ended" })));
    let agent = agent(&peers);
    assert_eq!(told(&peers, &agent, "/report").await, "served");
    for _ in 0..4 {
        peers.answer_next([Paid::Say(CLOSED)]);
        assert_eq!(told(&peers, &agent, "/report").await, "served");
    }
    assert_eq!(peers.asked().len(), 5);
}

#[tokio::test]
async fn a_hold_that_is_not_final_yet_is_kept_and_tried_again() {
    let peers = streaming_server().await;
    let agent = agent(&peers);
    assert_eq!(told(&peers, &agent, "/report").await, "served");
    peers.answer_next([Paid::Say(NOT_FINAL), Paid::Say(NOT_FINAL)]);
    assert_eq!(told(&peers, &agent, "/report").await, "served");
    assert_eq!((peers.asked().len(), peers.vouchers()), (1, amounts([1, 2, 2, 2])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_server_holds_up_no_request_to_another() {
    let (slow, other) = (streaming_server().await, streaming_server().await);
    let (slow_agent, other_agent) = (agent(&slow), slow.agent_at(&other));
    assert_eq!(told(&slow, &slow_agent, "/report").await, "served");
    slow.answer_next([Paid::ServeWhenLet]);
    let request = Request::get(&format!("{}/report", slow.url));
    let waiting = tokio::spawn(async move { told_of(&slow_agent, &request).await });
    slow.wait_for_payments(2).await;
    assert_eq!(told(&other, &other_agent, "/report").await, "served");
    assert!(!waiting.is_finished(), "the other waited for it");
    slow.let_answer();
    assert_eq!(waiting.await.unwrap(), "served");
}

#[tokio::test]
async fn a_server_that_refuses_to_open_holds_gets_two_signatures_at_once() {
    let peers = streaming_server().await;
    peers.when_paid(Paid::Refuse);
    let agent = agent(&peers);
    for _ in 0..2 {
        assert_eq!(told(&peers, &agent, "/report").await, "refused 402 insufficient_funds");
    }
    // They are not on chain, so the last is sent again, and a voucher out of it.
    assert_eq!(told(&peers, &agent, "/report").await, "unknown");
    assert_eq!(told(&peers, &agent, "/report").await, "refused 402 insufficient_funds");
    assert_eq!(peers.asked().len(), 2);
    peers.when_paid(Paid::Serve);
    assert_eq!(told(&peers, &agent, "/report").await, "served");
    assert_eq!(peers.asked().len(), 2);
}

#[tokio::test]
async fn a_server_with_many_receivers_gets_no_more_holds_than_one_with_one() {
    let peers = streaming_server().await;
    let agent = agent(&peers);
    for receiver in 50..54 {
        pay_to(&peers, receiver);
        told(&peers, &agent, "/report").await;
        // The hold that is open pays for the route that it paid for; the others are asked for.
        told(&peers, &agent, &format!("/{receiver}")).await;
    }
    assert!(peers.asked().len() <= 2, "{} holds were opened", peers.asked().len());
}

#[tokio::test]
async fn a_price_above_the_maximum_makes_no_hold_forgotten() {
    let peers = streaming_server().await;
    let agent = agent(&peers);
    assert_eq!(told(&peers, &agent, "/report").await, "served");
    ask(&peers, PRICE + 1);
    peers.answer_next([Paid::Refuse]);
    told(&peers, &agent, "/report").await;
    told(&peers, &agent, "/report").await;
    ask(&peers, PRICE);
    for _ in 0..3 {
        assert_eq!(told(&peers, &agent, "/report").await, "served");
    }
    assert_eq!(peers.files().streams.read().unwrap().len(), 1);
    assert_eq!(peers.asked().len(), 1);
}

#[tokio::test]
async fn an_opening_that_never_arrived_is_sent_again_instead_of_another() {
    let peers = streaming_server().await;
    let agent = agent(&peers);
    peers.answer_next([Paid::HangUp, Paid::Say(NOT_FOUND)]);
    assert_eq!(told(&peers, &agent, "/report").await, "unknown");
    assert_eq!(told(&peers, &agent, "/report").await, "served");
    assert_eq!(told(&peers, &agent, "/report").await, "served");
    assert_eq!((peers.nonces_paid(), peers.vouchers()), (vec![1, 1], amounts([1, 1, 1, 2])));
}

#[tokio::test]
async fn a_refused_voucher_is_told_though_nothing_could_be_paid_in_its_place() {
    let peers = streaming_server().await;
    peers.know(Some(json!({ "state": "authorized" })));
    let agent = agent(&peers);
    peers.answer_next([Paid::Serve, Paid::Say(CLOSED), Paid::Serve, Paid::Say(CLOSED)]);
    for _ in 0..2 {
        assert_eq!(told(&peers, &agent, "/report").await, "served");
    }
    // It has this voucher and could capture it.
    assert_eq!(told(&peers, &agent, "/report").await, format!("refused 402 {CLOSED}"));
    assert_eq!(told(&peers, &agent, "/report").await, "error too_many_holds");
    assert_eq!(peers.vouchers(), amounts([1, 2, 1, 2]));
}

/// Makes the file of holds unreadable once the server has got so many payments, and lets it answer the last.
async fn damage_holds_after(peers: &Peers, payments: usize) {
    peers.wait_for_payments(payments).await;
    std::fs::write(peers.session_path().with_added_extension("streams"), "[{").unwrap();
    peers.let_answer();
}

#[tokio::test]
async fn a_refused_opening_is_told_though_its_hold_can_not_be_given_up() {
    let peers = streaming_server().await;
    let agent = agent(&peers);
    peers.answer_next([Paid::SayWhenLet("insufficient_funds")]);
    let (told, ()) = tokio::join!(told(&peers, &agent, "/report"), damage_holds_after(&peers, 1));
    assert_eq!(told, "refused 402 insufficient_funds");
}

#[tokio::test]
async fn a_refused_voucher_is_told_though_the_next_one_can_not_be_written_down() {
    let peers = streaming_server().await;
    let agent = agent(&peers);
    peers.answer_next([Paid::Serve, Paid::HangUp, Paid::SayWhenLet(REPEATED)]);
    assert_eq!(told(&peers, &agent, "/report").await, "served");
    assert_eq!(told(&peers, &agent, "/report").await, "unknown");
    let (told, ()) = tokio::join!(told(&peers, &agent, "/report"), damage_holds_after(&peers, 3));
    assert_eq!(told, "unknown");
}
