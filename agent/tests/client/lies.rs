//! Whoever lies gets no signature.

use serde_json::{Value, json};
use x402_escrow_agent::{FetchError, Request};
use x402_escrow_wire::text::{Base58, Hex32};

use crate::peers::{PRICE, Peers, unix_now};

/// The field that the client does not sign for.
async fn refused_field(peers: &Peers) -> String {
    let request = Request::get(&format!("{}/report", peers.url));
    match peers.agent(PRICE).fetch(&request).await {
        Err(FetchError::Draft(error)) => error.field,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_verifier_cannot_change_what_the_server_asked() {
    let peers = Peers::start().await;
    let other = json!(Base58([9; 32]));
    let lies: Vec<(&str, Value)> = vec![
        ("payTo", other.clone()),
        ("amount", json!("1")),
        ("asset", other.clone()),
        ("network", json!("solana:other")),
        ("scheme", json!("exact")),
        ("maxTimeoutSeconds", json!(6000)),
    ];
    for (name, value) in lies {
        peers.alter_draft(move |draft| draft["accepted"][name] = value.clone());
        assert_eq!(refused_field(&peers).await, "accepted", "{name}");
    }
    for name in ["captureAuthorizer", "receiverAuthorizer", "feePayer", "program", "feeRecipient"] {
        let other = other.clone();
        peers.alter_draft(move |draft| draft["accepted"]["extra"][name] = other.clone());
        assert_eq!(refused_field(&peers).await, "accepted", "{name}");
    }
    assert!(peers.payments().is_empty());
}

#[tokio::test]
async fn a_verifier_cannot_spend_from_elsewhere_or_later() {
    let peers = Peers::start().await;
    let other = json!(Base58([9; 32]));
    // After the capture deadline, however long this test takes.
    let late = json!(unix_now() + 1200);
    let lies: Vec<(&str, Value)> = vec![
        ("escrow", other.clone()),
        ("sessionKey", other.clone()),
        ("incarnation", other),
        ("nonce", json!("0")),
        ("nonce", json!("2")),
        ("receiverProof", json!([Hex32([9; 32])])),
        ("authorizeBy", json!(1_700_000_000)),
        ("authorizeBy", late),
    ];
    for (name, value) in lies {
        peers.alter_draft(move |draft| draft["payload"][name] = value.clone());
        assert_eq!(refused_field(&peers).await, format!("payload.{name}"));
    }
    assert!(peers.payments().is_empty());
}

#[tokio::test]
async fn server_and_verifier_together_cannot_leave_the_sessions_bounds() {
    let peers = Peers::start().await;
    let lies: Vec<(&str, &str, Value)> = vec![
        ("amount", "accepted.amount", json!((PRICE + 1).to_string())),
        ("network", "accepted.network", json!("solana:other")),
        ("asset", "accepted.asset", json!(Base58([9; 32]))),
        ("extra.program", "accepted.extra.program", json!(Base58([9; 32]))),
        ("extra.paymentFlow", "accepted.extra.paymentFlow", json!("upfront")),
        ("extra.resourceHash", "accepted.extra.resourceHash", json!(Hex32([9; 32]))),
        ("extra.captureDeadline", "accepted.extra.captureDeadline", json!(4_000_000_000_i64)),
        ("extra.maxFeeBps", "accepted.extra.maxFeeBps", json!(1)),
    ];
    for (path, field, value) in lies {
        peers.alter_challenge(move |challenge| {
            let offer = &mut challenge["accepts"][1];
            match path.strip_prefix("extra.") {
                Some(name) => offer["extra"][name] = value.clone(),
                None => offer[path] = value.clone(),
            }
        });
        assert_eq!(refused_field(&peers).await, field);
    }
    assert!(peers.payments().is_empty());
}

#[tokio::test]
async fn a_challenge_for_another_request_is_not_paid() {
    let peers = Peers::start().await;
    // What the server asks is for GET /report, whatever is sent.
    let hash = x402_escrow_interface::resource::resource_hash("GET", &format!("{}/report", peers.url), b"");
    peers.alter_challenge(move |challenge| {
        challenge["accepts"][1]["extra"]["resourceHash"] = json!(Hex32(hash));
    });
    let report = format!("{}/report", peers.url);
    let other = format!("{}/report?full", peers.url);
    for request in [Request::get(&other), Request::post_json(&report, &json!({}))] {
        let error = peers.agent(PRICE).fetch(&request).await.unwrap_err();
        let FetchError::Draft(error) = error else { panic!("{error}") };
        assert_eq!(error.field, "accepted.extra.resourceHash");
    }
    assert!(peers.payments().is_empty());
    assert!(peers.agent(PRICE).fetch(&Request::get(&report)).await.is_ok());
}
