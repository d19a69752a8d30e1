//! Which nonces an agent signs.

use std::{collections::BTreeSet, sync::mpsc, time::Duration};

use serde_json::json;
use x402_escrow_agent::{FetchError, Request, nonces::NoncesError};

use crate::peers::{PRICE, Paid, Peers, served, unix_now};

fn report(peers: &Peers) -> Request {
    Request::get(&format!("{}/report", peers.url))
}

/// What the verifier was asked to draft with.
fn asked(peers: &Peers) -> Vec<u64> {
    peers.asked().iter().map(|body| body["nonce"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn payments_have_nonces_in_order_over_all_processes() {
    let peers = Peers::start().await;
    for _ in 0..3 {
        peers.agent(PRICE).fetch(&report(&peers)).await.unwrap();
    }
    assert_eq!((asked(&peers), peers.nonces_paid()), (vec![1, 2, 3], vec![1, 2, 3]));
    let summary = peers.nonces().of(&peers.session).summary().unwrap();
    assert_eq!((summary.highest_used, summary.outstanding), (3, vec![]));
}

#[tokio::test]
async fn of_many_at_once_no_two_sign_the_same_nonce() {
    let peers = Peers::start().await;
    let fetches: Vec<_> = (0..20)
        .map(|_| {
            let (agent, request) = (peers.agent(PRICE), report(&peers));
            tokio::spawn(async move { served(&agent, &request).await.status })
        })
        .collect();
    for fetch in fetches {
        assert_eq!(fetch.await.unwrap(), 200);
    }
    let paid = peers.nonces_paid();
    assert_eq!(paid.iter().copied().collect::<BTreeSet<_>>(), (1..=20).collect());
    assert_eq!(paid.len(), 20);
}

#[tokio::test]
async fn a_nonce_whose_draft_was_not_signed_is_used_for_the_next() {
    let peers = Peers::start().await;
    peers.alter_draft(|draft| draft["payload"]["authorizeBy"] = json!(1));
    for _ in 0..3 {
        let error = peers.agent(PRICE).fetch(&report(&peers)).await.unwrap_err();
        assert!(matches!(error, FetchError::Draft(_)), "{error}");
    }
    assert_eq!(asked(&peers), [1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_is_given_up_while_it_waits_for_the_draft_frees_its_nonce() {
    let peers = Peers::start().await;
    let (answer, answered) = mpsc::channel::<()>();
    peers.alter_draft(move |_| _ = answered.recv());
    let (agent, request) = (peers.agent(PRICE), report(&peers));
    let fetch = tokio::spawn(async move { agent.fetch(&request).await });
    while asked(&peers).is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    fetch.abort();
    assert!(fetch.await.unwrap_err().is_cancelled());
    drop(answer);
    peers.alter_draft(|_| {});
    peers.agent(PRICE).fetch(&report(&peers)).await.unwrap();
    assert_eq!(peers.nonces_paid(), [1]);
}

#[tokio::test]
async fn a_refused_payment_keeps_its_nonce_until_it_can_not_be_held_any_more() {
    let peers = Peers::start().await;
    peers.when_paid(Paid::Refuse);
    peers.agent(PRICE).fetch(&report(&peers)).await.unwrap();
    let outstanding = peers.nonces().of(&peers.session).summary().unwrap().outstanding;
    assert_eq!(outstanding.iter().map(|(nonce, ..)| *nonce).collect::<Vec<_>>(), [1]);
    assert!(outstanding[0].2 > unix_now(), "it can still be held");
    peers.when_paid(Paid::HangUp);
    peers.agent(PRICE).fetch(&report(&peers)).await.unwrap();
    peers.when_paid(Paid::Serve);
    peers.agent(PRICE).fetch(&report(&peers)).await.unwrap();
    assert_eq!(peers.nonces_paid(), [1, 2, 3]);
}

#[tokio::test]
async fn an_expired_nonce_that_was_not_held_is_signed_again() {
    let peers = Peers::start().await;
    // As if the payment had been signed two minutes ago: the draft names a time, and the state's
    // clock is this machine's.
    let nonces = peers.nonces().of(&peers.session);
    peers.when_paid(Paid::Refuse);
    peers.agent(PRICE).fetch(&report(&peers)).await.unwrap();
    let file = peers.nonces_path();
    let text = std::fs::read_to_string(&file).unwrap();
    let authorize_by = nonces.summary().unwrap().outstanding[0].2;
    std::fs::write(&file, text.replace(&authorize_by.to_string(), &(unix_now() - 61).to_string())).unwrap();
    peers.when_paid(Paid::Serve);
    peers.agent(PRICE).fetch(&report(&peers)).await.unwrap();
    assert_eq!(peers.nonces_paid(), [1, 1]);
    assert_eq!(nonces.summary().unwrap().highest_used, 1);
}

#[tokio::test]
async fn a_session_that_was_used_elsewhere_finds_a_free_nonce_in_few_steps() {
    let peers = Peers::start().await;
    peers.refuse_nonces_up_to(900);
    peers.agent(PRICE).fetch(&report(&peers)).await.unwrap();
    assert_eq!(asked(&peers), [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]);
    peers.agent(PRICE).fetch(&report(&peers)).await.unwrap();
    assert_eq!(peers.nonces_paid(), [1024, 1025]);
}

#[tokio::test]
async fn a_verifier_that_refuses_every_nonce_leads_no_agent_beyond_its_bound() {
    let peers = Peers::start().await;
    peers.refuse_nonces_up_to(u64::MAX);
    for _ in 0..3 {
        let error = peers.agent(PRICE).fetch(&report(&peers)).await.unwrap_err();
        assert!(matches!(error, FetchError::Nonces(NoncesError::Refused { bound: 1024, .. })), "{error}");
        assert!(error.to_string().contains("agent session nonces"), "{error}");
    }
    assert_eq!(asked(&peers).iter().max(), Some(&1024));
    peers.refuse_nonces_up_to(5000);
    peers.nonces().of(&peers.session).restart_at(5001).unwrap();
    peers.agent(PRICE).fetch(&report(&peers)).await.unwrap();
    assert_eq!(peers.nonces_paid(), [5001]);
}

#[tokio::test]
async fn a_damaged_file_of_nonces_stops_payments() {
    let peers = Peers::start().await;
    std::fs::write(peers.nonces_path(), "{").unwrap();
    let error = peers.agent(PRICE).fetch(&report(&peers)).await.unwrap_err();
    assert!(matches!(error, FetchError::Nonces(NoncesError::File { .. })), "{error}");
    assert!(peers.asked().is_empty() && peers.payments().is_empty());
}
