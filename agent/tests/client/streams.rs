//! Many requests out of one hold, with a server that lies about vouchers.

use serde_json::{Value, json};
use x402_escrow_agent::{AgentClient, FetchError, Request};
use x402_escrow_wire::{
    auth_capture::stream_resource_hash,
    payment::PaymentPayload,
    payment_identifier::{self, EXTRA},
    text::{Base58, Hex32},
};

use crate::peers::{PRICE, Paid, Peers, REPEATED, served, told};

const HOLD: u64 = 10 * PRICE;

/// A server that offers streamed holds only.
pub(crate) async fn streaming_server() -> Peers {
    let peers = Peers::start().await;
    ask(&peers, PRICE);
    peers
}

/// The server wants another to be paid from now on.
pub(crate) fn pay_to(peers: &Peers, receiver: u8) {
    let origin = Hex32(stream_resource_hash(&peers.url));
    peers.alter_challenge(move |challenge: &mut Value| {
        let offer = &mut challenge["accepts"][1];
        offer["payTo"] = json!(Base58([receiver; 32]));
        offer["amount"] = json!(HOLD.to_string());
        offer["extra"]["captureAuthorizer"] = json!("sessionKey");
        offer["extra"]["requestPrice"] = json!(PRICE.to_string());
        offer["extra"]["resourceHash"] = json!(origin);
    });
}

/// The server asks for `price` a request from now on.
pub(crate) fn ask(peers: &Peers, price: u64) {
    ask_with(peers, price, json!({}));
}

/// Like [`ask`], with more in the offer's `extra`.
pub(crate) fn ask_with(peers: &Peers, price: u64, more: Value) {
    let origin = Hex32(stream_resource_hash(&peers.url));
    peers.alter_challenge(move |challenge: &mut Value| {
        let offer = &mut challenge["accepts"][1];
        offer["amount"] = json!(HOLD.to_string());
        offer["extra"]["captureAuthorizer"] = json!("sessionKey");
        offer["extra"]["requestPrice"] = json!(price.to_string());
        offer["extra"]["resourceHash"] = json!(origin);
        offer["extra"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    });
}

pub(crate) fn agent(peers: &Peers) -> AgentClient {
    peers.agent(PRICE).streaming(HOLD)
}

async fn report(peers: &Peers, agent: &AgentClient) -> String {
    told(peers, agent, "/report").await
}

/// What the agent called a purchase.
fn id(payment: &PaymentPayload) -> Option<String> {
    let info = payment_identifier::read(payment.extensions.as_ref()).unwrap()?;
    info.id.map(|id| id.to_string())
}

pub(crate) fn amounts(requests: impl IntoIterator<Item = u64>) -> Vec<u64> {
    requests.into_iter().map(|request| request * PRICE).collect()
}

#[tokio::test]
async fn each_request_costs_its_price_and_a_new_hold_opens_when_one_is_used_up() {
    let peers = streaming_server().await;
    let agent = agent(&peers);
    for _ in 0..12 {
        assert_eq!(report(&peers, &agent).await, "served");
    }
    assert_eq!(peers.vouchers(), amounts((1..=10).chain(1..=2)));
    assert_eq!(peers.asked().len(), 2, "two holds were drafted");
}

#[tokio::test]
async fn a_voucher_that_was_not_answered_is_sent_again_and_not_another() {
    let peers = streaming_server().await;
    let lost = agent(&peers);
    assert_eq!(report(&peers, &lost).await, "served");
    peers.when_paid(Paid::HangUp);
    assert_eq!(report(&peers, &lost).await, "unknown");
    peers.when_paid(Paid::Serve);
    // Another process, which has the file only.
    assert_eq!(report(&peers, &agent(&peers)).await, "served");
    assert_eq!(peers.vouchers(), amounts([1, 2, 2]));
}

#[tokio::test]
async fn a_hold_that_pays_after_its_opening_was_not_answered_keeps_its_nonce() {
    let peers = streaming_server().await;
    peers.when_paid(Paid::HangUp);
    let agent = agent(&peers);
    assert_eq!(report(&peers, &agent).await, "unknown");
    let nonces = peers.nonces().of(&peers.session);
    assert_eq!((nonces.summary().unwrap().highest_used, nonces.summary().unwrap().outstanding.len()), (0, 1));
    peers.when_paid(Paid::Serve);
    assert_eq!(report(&peers, &agent).await, "served");
    assert_eq!((nonces.summary().unwrap().highest_used, nonces.summary().unwrap().outstanding.len()), (1, 0));
}

#[tokio::test]
async fn a_server_that_says_of_a_new_voucher_that_it_was_used_gets_no_other() {
    let peers = streaming_server().await;
    let agent = agent(&peers);
    assert_eq!(report(&peers, &agent).await, "served");
    peers.when_paid(Paid::Say(REPEATED));
    assert_eq!(report(&peers, &agent).await, "unknown");
    assert_eq!(peers.vouchers(), amounts([1, 2]));
}

#[tokio::test]
async fn a_price_that_rises_above_the_maximum_is_not_paid() {
    let peers = streaming_server().await;
    let agent = agent(&peers);
    assert_eq!(report(&peers, &agent).await, "served");
    ask(&peers, PRICE + 1);
    peers.when_paid(Paid::Refuse);
    assert_eq!(report(&peers, &agent).await, "refused 402 insufficient_funds");
    assert_eq!(peers.vouchers(), amounts([1, 2]), "no more than the old price was signed for");
}

#[tokio::test]
async fn an_agent_that_only_streams_pays_in_no_other_way() {
    let peers = Peers::start().await;
    let agent = peers.agent(PRICE).only_streaming(HOLD);
    let error = agent.fetch(&Request::get(&format!("{}/report", peers.url))).await.unwrap_err();
    assert!(matches!(error, FetchError::NotStreamed { maximum_amount: PRICE, .. }), "{error}");
    assert!(peers.payments().is_empty() && peers.asked().is_empty());

    ask(&peers, PRICE);
    assert_eq!(report(&peers, &agent).await, "served");
    assert_eq!(peers.vouchers(), amounts([1]));
    let free = served(&agent, &Request::get(&format!("{}/free", peers.url))).await;
    assert_eq!((free.status, free.payment), (200, None));
}

#[tokio::test]
async fn each_purchase_has_an_id_where_the_route_takes_them_and_the_same_while_it_is_in_doubt() {
    let peers = streaming_server().await;
    ask_with(&peers, PRICE, json!({ EXTRA: "required" }));
    // The first answer gets lost: what opened the hold is sent again.
    peers.when_paid(Paid::LoseAnswer);
    let first = agent(&peers);
    assert_eq!(report(&peers, &first).await, "served");
    assert_eq!(report(&peers, &first).await, "served");
    // Another process must not ask for that answer again.
    assert_eq!(report(&peers, &agent(&peers)).await, "served");
    // Nobody answers, however often the voucher is sent.
    peers.when_paid(Paid::HangUp);
    assert_eq!(report(&peers, &first).await, "unknown");
    peers.when_paid(Paid::Serve);
    assert_eq!(report(&peers, &agent(&peers)).await, "served");

    assert_eq!(peers.vouchers(), amounts([1, 1, 2, 3, 4, 4, 4, 4]));
    let payments = peers.payments();
    assert_eq!(payments[0], payments[1]);
    let payment_id = payments[2].payload["paymentId"].as_str().unwrap();
    let mut called = vec![Some(format!("pay_{payment_id}")); 2];
    called
        .extend(amounts([2, 3, 4, 4, 4, 4]).iter().map(|amount| Some(format!("pay_{payment_id}_{amount}"))));
    assert_eq!(payments.iter().map(id).collect::<Vec<_>>(), called);
}

#[tokio::test]
async fn a_route_that_takes_no_ids_gets_none_and_one_that_says_something_else_is_no_offer() {
    let peers = streaming_server().await;
    assert_eq!(report(&peers, &agent(&peers)).await, "served");
    assert_eq!(peers.payments().iter().map(id).collect::<Vec<_>>(), [None]);

    let peers = streaming_server().await;
    ask_with(&peers, PRICE, json!({ EXTRA: "perhaps" }));
    let agent = peers.agent(PRICE).only_streaming(HOLD);
    let error = agent.fetch(&Request::get(&format!("{}/report", peers.url))).await.unwrap_err();
    assert!(matches!(error, FetchError::NotStreamed { .. }), "{error}");
    assert!(peers.payments().is_empty());
}
