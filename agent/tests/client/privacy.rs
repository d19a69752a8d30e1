//! What leaves the agent, and what it reads.

use x402_escrow_agent::Request;

use crate::peers::{PRICE, Peers, told};

#[tokio::test]
async fn the_verifier_sees_the_hash_of_a_url_and_nothing_of_the_url() {
    let peers = Peers::start().await;
    assert_eq!(told(&peers, &peers.agent(PRICE), "/private/path?token=secret").await, "served");
    let asked = peers.asked()[0].to_string();
    for part in ["secret", "private", &peers.url] {
        assert!(!asked.contains(part), "the verifier was sent {part:?}: {asked}");
    }
}

#[tokio::test]
async fn plain_http_is_refused_before_anything_is_sent() {
    let peers = Peers::start().await;
    let agent = peers.agent(PRICE);
    for url in ["http://shop.example/report", "http://10.0.0.1/", "http://127.0.0.1.example/"] {
        let error = agent.fetch(&Request::get(url)).await.unwrap_err();
        assert_eq!(error.code(), "plain_http", "{url}: {error}");
    }
}

#[tokio::test]
async fn a_verifiers_answer_is_read_up_to_a_limit() {
    let peers = Peers::start().await;
    peers.alter_draft(|draft| draft["payload"]["junk"] = "a".repeat(8 << 20).into());
    let error = peers.agent(PRICE).fetch(&Request::get(&format!("{}/report", peers.url))).await.unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");
}
