//! What must not be sold, and changes nothing.

use std::thread;

use serde_json::{Value, json};
use x402_escrow_wire::text::{Base58, Decimal};

use crate::shop::{Shop, payment_id};

#[test]
fn a_payment_that_is_not_right_buys_nothing() {
    let shop = Shop::open();
    let refused = |name: &str, path: &str, alter: &dyn Fn(&mut x402_escrow_wire::payment::PaymentPayload)| {
        let mut payment = shop.payment("/quote?symbol=SOL");
        alter(&mut payment);
        let answer = shop.send(path, &payment);
        assert_eq!(answer.status, 402, "{name}");
        shop.assert_books(0, 0);
        answer.reason().to_owned()
    };
    let same = "/quote?symbol=SOL";

    let reason = refused("another amount", same, &|payment| {
        payment.accepted.amount = Decimal(1);
        shop.sign(payment);
    });
    assert_eq!(reason, "invalid_payment_requirements");
    let reason = refused("another resource", "/quote?symbol=BTC", &|_| {});
    assert_eq!(reason, "invalid_payment_requirements");
    let reason = refused("a dearer resource", "/report?topic=wheat", &|_| {});
    assert_eq!(reason, "invalid_payment_requirements");
    let reason = refused("another network", same, &|payment| {
        payment.accepted.network = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1".into();
    });
    assert_eq!(reason, "invalid_payment_requirements");
    let reason = refused("another token", same, &|payment| payment.accepted.asset = Base58([9; 32]));
    assert_eq!(reason, "invalid_payment_requirements");
    let reason =
        refused("a bad signature", same, &|payment| payment.payload["signature"] = json!(Base58([1; 64])));
    assert_eq!(reason, "invalid_auth_capture_svm_signature");
    let reason =
        refused("a nonce that was not signed", same, &|payment| payment.payload["nonce"] = json!("900"));
    assert_eq!(reason, "invalid_auth_capture_svm_signature");
    let reason = refused("an expired intent", same, &|payment| {
        payment.payload["authorizeBy"] = json!(1_700_000_000);
        shop.sign(payment);
    });
    assert_eq!(reason, "invalid_auth_capture_svm_intent_expired");
    let reason = refused("another incarnation", same, &|payment| {
        payment.payload["incarnation"] = json!(Base58([9; 32]));
        shop.sign(payment);
    });
    assert_eq!(reason, "invalid_auth_capture_svm_incarnation_mismatch");
    let reason = refused("an escrow that is not there", same, &|payment| {
        payment.payload["escrow"] = json!(Base58([9; 32]));
        shop.sign(payment);
    });
    assert_eq!(reason, "invalid_auth_capture_svm_escrow_not_found");
}

#[test]
fn one_payment_buys_once() {
    let shop = Shop::open();
    let mut earned = 0;
    for (path, price, kind) in
        [("/quote?symbol=SOL", 10_000, "charge"), ("/slow?milliseconds=0", 5_000, "authorize")]
    {
        let payment = shop.payment(path);
        assert_eq!(shop.send(path, &payment).status, 200);
        earned += price;
        shop.assert_books(earned, 0);
        let again = shop.send(path, &payment);
        assert_eq!((again.status, again.reason()), (402, "duplicate_settlement"));
        shop.assert_books(earned, 0);

        let payment = shop.payment(path);
        let statuses: Vec<_> = thread::scope(|scope| {
            let send = || shop.send(path, &payment).status;
            let requests: Vec<_> = (0..20).map(|_| scope.spawn(send)).collect();
            requests.into_iter().map(|request| request.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 402).count(), 19, "{statuses:?}");
        earned += price;
        shop.assert_books(earned, 0);
        let report = shop.verifier.payment(&payment_id(&payment)).unwrap();
        let began = report["transactions"].as_array().unwrap().iter().filter(|one| one["kind"] == kind);
        assert_eq!(began.filter(|one| one["slot"] != Value::Null).count(), 1, "{report}");
    }
}

#[test]
fn an_agent_keeps_within_every_limit() {
    let shop = Shop::open();
    let refused = |arguments: &[&str]| {
        let error = shop.agent.run(&[&["fetch"], arguments].concat()).unwrap_err();
        format!("{error:#}")
    };
    let archive = shop.url("/archive");
    let report = shop.url("/report?topic=wheat");

    let error = refused(&[&archive, "--max-amount", "1"]);
    assert!(error.contains("is above the limit per payment, 0."), "the session's, per payment: {error}");
    let error = refused(&[&report, "--max-amount", "0.2"]);
    assert!(error.contains("0.25 is above the maximum of 0.2"), "the agent's, per request: {error}");
    let error = refused(&[&report, "--max-amount", "1", "--spending-limit", "0.1"]);
    assert!(error.contains("spending limit"), "the agent's, in all: {error}");
    shop.assert_books(0, 0);

    // The session's limit per period is 1: four reports fit.
    for _ in 0..4 {
        shop.agent.run(&["fetch", &report, "--max-amount", "1"]).unwrap();
    }
    assert!(refused(&[&report, "--max-amount", "1"]).contains("period"), "the session's, per period");
    shop.assert_books(1_000_000, 0);

    shop.owner.run(&["session", "revoke", "--session-key", &shop.session.session_key.to_string()]).unwrap();
    let error = refused(&[&shop.url("/quote?symbol=SOL"), "--max-amount", "1"]);
    assert!(error.contains("revoked"), "{error}");
    shop.assert_books(1_000_000, 0);
}
