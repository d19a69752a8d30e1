//! What an agent signs for stays within its limits, and is on disk before it leaves.

use serde_json::json;
use x402_escrow_agent::{AgentClient, FetchError, Limits, Request, SessionFile};

use crate::{
    peers::{PRICE, Paid, Peers, served, told, unix_now},
    streams::streaming_server,
};

#[tokio::test]
async fn a_price_above_the_maximum_is_not_paid() {
    let peers = Peers::start().await;
    let request = Request::get(&format!("{}/report", peers.url));
    let error = peers.agent(PRICE - 1).fetch(&request).await.unwrap_err();
    assert!(error.to_string().contains("above the maximum of 0.000999"), "{error}");
    assert!(peers.payments().is_empty());
    assert!(peers.asked().is_empty(), "there is nothing to draft");
    served(&peers.agent(PRICE), &request).await;
    assert_eq!(peers.asked()[0]["maximumAmount"], "1000", "the verifier is told, but not believed");
}

#[tokio::test]
async fn the_spending_limit_outlives_the_client() {
    let peers = Peers::start().await;
    let request = Request::get(&format!("{}/report", peers.url));
    for count in 1..=3 {
        served(&peers.counting_agent(3 * PRICE), &request).await;
        assert_eq!(peers.spending().signed_for().unwrap(), count * PRICE);
    }
    let error = peers.counting_agent(3 * PRICE).fetch(&request).await.unwrap_err();
    assert!(matches!(error, FetchError::Spending(_)), "{error}");
    assert_eq!(peers.payments().len(), 3);
    assert_eq!(peers.spending().signed_for().unwrap(), 3 * PRICE);
}

#[tokio::test]
async fn a_payment_that_ended_for_less_leaves_the_rest_of_the_limit() {
    let peers = Peers::start().await;
    let request = Request::get(&format!("{}/report", peers.url));
    served(&peers.counting_agent(PRICE), &request).await;
    // While it is held all of it counts.
    peers.know(Some(json!({ "state": "authorized", "captured": "0" })));
    let error = peers.counting_agent(PRICE).fetch(&request).await.unwrap_err();
    assert!(matches!(error, FetchError::Spending(_)), "{error}");
    peers.know(Some(json!({ "state": "ended", "captured": "1" })));
    served(&peers.counting_agent(PRICE + 1), &request).await;
    assert_eq!(peers.spending().signed_for().unwrap(), PRICE + 1);
}

#[tokio::test]
async fn what_was_signed_counts_even_if_the_server_refuses_it() {
    let peers = Peers::start().await;
    peers.when_paid(Paid::Refuse);
    let request = Request::get(&format!("{}/report", peers.url));
    peers.counting_agent(PRICE).fetch(&request).await.unwrap();
    assert_eq!(peers.spending().signed_for().unwrap(), PRICE);
}

#[tokio::test]
async fn what_was_not_signed_does_not_count() {
    let peers = Peers::start().await;
    peers.alter_draft(|draft| draft["payload"]["nonce"] = "0".into());
    let request = Request::get(&format!("{}/report", peers.url));
    peers.counting_agent(PRICE).fetch(&request).await.unwrap_err();
    assert_eq!(peers.spending().signed_for().unwrap(), 0);
}

#[tokio::test]
async fn of_many_at_once_only_as_many_pay_as_the_limit_allows() {
    let peers = Peers::start().await;
    let request = Request::get(&format!("{}/report", peers.url));
    let fetches: Vec<_> = (0..20)
        .map(|_| {
            let (agent, request) = (peers.counting_agent(5 * PRICE), request.clone());
            tokio::spawn(async move { agent.fetch(&request).await.is_ok() })
        })
        .collect();
    let mut paid = 0;
    for fetch in fetches {
        paid += usize::from(fetch.await.unwrap());
    }
    assert_eq!((paid, peers.payments().len()), (5, 5));
}

/// An agent that locks at most `maximum_locked`.
fn locking(peers: &Peers, maximum_locked: u64) -> AgentClient {
    let limits = Limits { maximum_amount: PRICE, spending_limit: None, maximum_locked: Some(maximum_locked) };
    AgentClient::new(peers.session.clone(), limits, peers.files()).unwrap()
}

#[tokio::test]
async fn what_was_signed_and_bought_nothing_counts_as_locked_until_the_verifier_says_that_it_ended() {
    let peers = Peers::start().await;
    peers.when_paid(Paid::Refuse);
    for _ in 0..2 {
        told(&peers, &locking(&peers, 2 * PRICE), "/report").await;
    }
    peers.when_paid(Paid::Serve);
    peers.know(Some(json!({ "state": "authorized", "captured": "0" })));
    assert_eq!(told(&peers, &locking(&peers, 2 * PRICE), "/report").await, "error locked_limit");
    assert_eq!(peers.payments().len(), 2);
    peers.know(Some(json!({ "state": "ended", "captured": "0" })));
    for _ in 0..5 {
        assert_eq!(told(&peers, &locking(&peers, 2 * PRICE), "/report").await, "served");
    }
}

#[tokio::test]
async fn holds_count_as_locked_as_far_as_they_are_not_signed_for() {
    let peers = streaming_server().await;
    let agent = locking(&peers, 10 * PRICE).streaming(10 * PRICE);
    for _ in 0..10 {
        assert_eq!(told(&peers, &agent, "/report").await, "served");
    }
    let other = streaming_server().await;
    let limits = |maximum_locked| {
        let limits = Limits { maximum_amount: PRICE, spending_limit: None, maximum_locked };
        let agent = AgentClient::new(other.session.clone(), limits, peers.files()).unwrap();
        agent.streaming(10 * PRICE)
    };
    assert_eq!(told(&other, &limits(Some(10 * PRICE)), "/report").await, "served", "the first is used up");
    assert_eq!(told(&peers, &agent, "/report").await, "error locked_limit");
    assert_eq!(told(&other, &limits(Some(10 * PRICE)), "/report").await, "served", "nothing more is locked");
    let more = locking(&peers, 19 * PRICE).streaming(10 * PRICE);
    assert_eq!(told(&peers, &more, "/report").await, "served");
}

#[tokio::test]
async fn a_hold_that_is_used_up_locks_nothing_though_the_answer_to_its_opening_got_lost() {
    let peers = streaming_server().await;
    peers.answer_next([Paid::HangUp]);
    let agent = locking(&peers, 10 * PRICE).streaming(10 * PRICE);
    assert_eq!(told(&peers, &agent, "/report").await, "unknown");
    for _ in 0..12 {
        assert_eq!(told(&peers, &agent, "/report").await, "served");
    }
    assert_eq!(peers.nonces_paid(), [1, 2]);
}

#[tokio::test]
async fn nothing_is_signed_for_a_session_that_has_expired() {
    let peers = Peers::start().await;
    let expired = SessionFile { expires_at: unix_now() - 1, ..peers.session.clone() };
    assert_eq!(told(&peers, &peers.agent_of(expired, PRICE), "/report").await, "error session_expired");
    assert!(peers.asked().is_empty() && peers.payments().is_empty());
}
