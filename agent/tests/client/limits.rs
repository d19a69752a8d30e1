//! What an agent signs for stays within its limits, and is on disk before it leaves.

use x402_escrow_agent::{AgentClient, FetchError, Limits, Request};

use crate::peers::{PRICE, Paid, Peers};

#[tokio::test]
async fn a_price_above_the_maximum_is_not_paid() {
    let peers = Peers::start().await;
    let request = Request::get(&format!("{}/report", peers.url));
    let error = peers.agent(PRICE - 1).fetch(&request).await.unwrap_err();
    assert!(error.to_string().contains("above the maximum of 999"), "{error}");
    assert!(peers.payments().is_empty());
    assert_eq!(peers.asked()[0]["maximumAmount"], "999", "the verifier is told, but not believed");
}

#[tokio::test]
async fn the_spending_limit_outlives_the_client() {
    let peers = Peers::start().await;
    let request = Request::get(&format!("{}/report", peers.url));
    for count in 1..=3 {
        peers.counting_agent(3 * PRICE).fetch(&request).await.unwrap();
        assert_eq!(peers.spending().signed_for().unwrap(), count * PRICE);
    }
    let error = peers.counting_agent(3 * PRICE).fetch(&request).await.unwrap_err();
    assert!(matches!(error, FetchError::Spending(_)), "{error}");
    assert_eq!(peers.payments().len(), 3);
    assert_eq!(peers.spending().signed_for().unwrap(), 3 * PRICE);
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

#[tokio::test]
async fn a_spending_limit_without_a_file_is_refused() {
    let peers = Peers::start().await;
    let limits = Limits { maximum_amount: PRICE, spending_limit: Some(PRICE) };
    assert!(AgentClient::new(peers.session.clone(), limits, &peers.nonces()).is_err());
}
