//! Sessions that may pay listed receivers only.

use serde_json::{Value, json};
use x402_escrow_agent::{FetchError, Request, SessionFile};
use x402_escrow_interface::{Address, receivers::is_listed};
use x402_escrow_wire::{
    auth_capture::{IntentPayload, stream_resource_hash},
    text::{Base58, Hex32, Key},
};

use crate::peers::{PRICE, Peers};

/// Whom the server wants to be paid.
const PAID: Key = Base58([5; 32]);
const OTHER: Key = Base58([6; 32]);

fn listing(peers: &Peers, receivers: &[Key]) -> SessionFile {
    SessionFile { receivers: receivers.to_vec(), ..peers.session.clone() }
}

fn report(peers: &Peers) -> Request {
    Request::get(&format!("{}/report", peers.url))
}

#[tokio::test]
async fn a_listed_receiver_is_paid_with_the_proof_that_it_is_listed() {
    let peers = Peers::start().await;
    let session = listing(&peers, &[OTHER, PAID, Base58([7; 32])]);
    peers.agent_of(session.clone(), PRICE).fetch(&report(&peers)).await.unwrap();
    let payment = &peers.payments()[0];
    assert_eq!(peers.asked()[0]["receiverProof"], payment.payload["receiverProof"]);
    let payload: IntentPayload = serde_json::from_value(payment.payload.clone()).unwrap();
    let root = session.receiver_list().unwrap().root();
    assert!(!payload.receiver_proof.is_empty());
    assert!(is_listed(&root, &Address::from(PAID), &payload.proof()));
}

#[tokio::test]
async fn a_list_of_one_needs_no_proof() {
    let peers = Peers::start().await;
    peers.agent_of(listing(&peers, &[PAID]), PRICE).fetch(&report(&peers)).await.unwrap();
    assert_eq!(peers.asked()[0].get("receiverProof"), None);
    assert_eq!(peers.payments()[0].payload.get("receiverProof"), None);
}

#[tokio::test]
async fn the_verifier_is_not_asked_for_a_receiver_that_is_not_listed() {
    let peers = Peers::start().await;
    let error = peers.agent_of(listing(&peers, &[OTHER]), PRICE).fetch(&report(&peers)).await.unwrap_err();
    assert!(matches!(error, FetchError::NotListed { pay_to: PAID, listed: 1 }), "{error}");
    assert!(error.to_string().contains(&PAID.to_string()), "{error}");
    assert!(peers.asked().is_empty() && peers.payments().is_empty());
}

#[tokio::test]
async fn of_several_offers_one_to_a_listed_receiver_is_taken() {
    let peers = Peers::start().await;
    peers.alter_challenge(|challenge| {
        let mut other = challenge["accepts"][1].clone();
        other["payTo"] = json!(OTHER);
        let offers = challenge["accepts"].as_array_mut().unwrap();
        offers.push(other);
    });
    for receiver in [PAID, OTHER] {
        peers.agent_of(listing(&peers, &[receiver]), PRICE).fetch(&report(&peers)).await.unwrap();
        let payment = peers.payments().pop().unwrap();
        assert_eq!(payment.accepted.pay_to, receiver);
        let asked = peers.asked().pop().unwrap();
        assert_eq!(asked["paymentRequired"]["accepts"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_streamed_hold_is_opened_with_the_proof_too() {
    let peers = Peers::start().await;
    let origin = Hex32(stream_resource_hash(&peers.url));
    peers.alter_challenge(move |challenge: &mut Value| {
        let extra = &mut challenge["accepts"][1]["extra"];
        extra["captureAuthorizer"] = json!("sessionKey");
        extra["requestPrice"] = json!("100");
        extra["resourceHash"] = json!(origin);
    });
    let streaming =
        |receivers: &[Key]| peers.agent_of(listing(&peers, receivers), PRICE).only_streaming(PRICE);
    let error = streaming(&[OTHER]).fetch(&report(&peers)).await.unwrap_err();
    assert!(matches!(error, FetchError::NotListed { .. }), "{error}");
    streaming(&[PAID, OTHER]).fetch(&report(&peers)).await.unwrap();
    assert_eq!(peers.payments()[0].payload["receiverProof"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_session_with_a_list_pays_no_fee() {
    let peers = Peers::start().await;
    peers.alter_challenge(|challenge| {
        let extra = &mut challenge["accepts"][1]["extra"];
        extra["maxFeeBps"] = json!(1);
        extra["feeRecipient"] = json!(OTHER);
    });
    let listed = peers.agent_of(listing(&peers, &[PAID]), PRICE);
    let FetchError::Draft(error) = listed.fetch(&report(&peers)).await.unwrap_err() else { panic!() };
    assert_eq!(error.field, "accepted.extra.maxFeeBps");
    assert!(peers.payments().is_empty());
    peers.agent(PRICE).fetch(&report(&peers)).await.unwrap();
}
