//! The TypeScript package against the real parts: its agent buys from an Express server and from a Rust merchant, the
//! Rust agent buys from the Express server, and every outcome is held against balances read from the chain.

pub(crate) mod express;

use std::{thread, time::Duration};

use express::{Express, buy, run};
use serde_json::{Map, Value, json};
use solana_sdk::signature::Signer;
use x402_escrow_wire::payment::PaymentPayload;

use crate::shop::Shop;

/// 0.25 USDC, the price of a report.
const REPORT: u64 = 250_000;

#[test]
fn each_language_buys_from_each() {
    let shop = Shop::open();
    let express = Express::start(&shop, "examples/server.js");

    let bought = buy(&shop, &[&express.url("/report")]).unwrap();
    assert_eq!(
        (&bought["status"], &bought["settlement"]["success"]),
        (&200.into(), &true.into()),
        "{bought}"
    );
    assert_eq!(bought["body"], r#"{"report":"wheat is up"}"#);
    assert_eq!(bought["settlement"]["extra"]["captured"], "250000");
    express.assert_books(&shop, REPORT, 0);

    // Three words at a cent each, of a hold of ten cents.
    let bought = buy(&shop, &[&express.url("/words"), "wheat and rye"]).unwrap();
    assert_eq!(bought["body"], r#"{"words":3}"#, "{bought}");
    express.assert_books(&shop, REPORT + 30_000, 0);

    let fetched = shop.agent.run(&["fetch", &express.url("/report"), "--max-amount", "0.25"]).unwrap();
    assert_eq!(
        (&fetched["status"], &fetched["payment"]["settlement"]["success"]),
        (&200.into(), &true.into())
    );
    express.assert_books(&shop, 2 * REPORT + 30_000, 0);

    let bought = buy(&shop, &[&shop.url("/report?topic=wheat")]).unwrap();
    assert_eq!(
        (&bought["status"], &bought["settlement"]["success"]),
        (&200.into(), &true.into()),
        "{bought}"
    );
    shop.wait_until_earned(&shop.merchant.key.pubkey(), REPORT);
    assert_eq!(shop.earned(), REPORT);
    assert_eq!(shop.escrow().held, 0);
}

#[test]
fn a_payment_buys_once_at_an_express_server() {
    let mut shop = Shop::open();
    let express = Express::start(&shop, "examples/server.js");
    // The shop's own requests go to Express from here on.
    shop.merchant.url = express.url("");
    let payment = shop.payment("/report");
    assert_eq!(shop.send("/report", &payment).status, 200);
    let again = shop.send("/report", &payment);
    assert_eq!((again.status, again.reason()), (402, "duplicate_settlement"));
    express.assert_books(&shop, REPORT, 0);

    // The verifier refuses what the session key did not sign.
    let mut payment = shop.payment("/report");
    payment.payload["nonce"] = "77".into();
    let forged = shop.send("/report", &payment);
    assert_eq!((forged.status, forged.reason()), (402, "invalid_auth_capture_svm_signature"));
    express.assert_books(&shop, REPORT, 0);
}

#[test]
fn what_an_express_server_holds_when_it_is_killed_goes_back() {
    let shop = Shop::open();
    let mut express = Express::start(&shop, "test/slow_server.js");
    let url = express.url("/slow");
    thread::scope(|scope| {
        let buying = scope.spawn(|| buy(&shop, &[&url]));
        let noted = || Ok(express.is_serving());
        shop.local.chain.wait_until("the handler to run", Duration::from_secs(30), noted).unwrap();
        shop.wait_until_held(REPORT);
        express.assert_books(&shop, 0, REPORT);
        express.crash_and_restart(&shop);
        let error = buying.join().unwrap().unwrap_err().to_string();
        assert!(error.contains("no answer came; before paying again, look it up"), "{error}");
    });
    shop.wait_until_nothing_is_held();
    express.assert_books(&shop, 0, 0);
}

#[test]
fn a_purchase_whose_answer_is_lost_is_asked_for_again_and_paid_once() {
    let mut shop = Shop::open();
    let express = Express::start(&shop, "test/named_server.js");
    let url = express.url("/named");
    let bought = buy(&shop, &[&url]).unwrap();
    assert_eq!((&bought["status"], &bought["body"]), (&200.into(), &r#"{"served":1}"#.into()), "{bought}");
    assert_eq!(bought["settlement"]["extra"]["captured"], "250000");
    express.assert_books(&shop, REPORT, 0);

    let fetched = shop.agent.run(&["fetch", &url, "--max-amount", "0.25"]).unwrap();
    assert_eq!((&fetched["status"], &fetched["body"]), (&200.into(), &json!({ "served": 2 })), "{fetched}");
    express.assert_books(&shop, 2 * REPORT, 0);

    // Under the id of a purchase another payment buys nothing: the verifier knows it, and nothing is held.
    shop.merchant.url = express.url("");
    let mut payment = shop.payment("/named");
    let name = |payment: &mut PaymentPayload| {
        let extension = json!({ "info": { "required": true, "id": "pay_0123456789abcdef" } });
        payment.extensions = Some(Map::from_iter([("payment-identifier".to_owned(), extension)]));
    };
    name(&mut payment);
    assert!(shop.try_send("/named", &payment).is_err(), "its answer is lost");
    assert_eq!(shop.send("/named", &payment).status, 200);
    let mut other = shop.payment("/named");
    name(&mut other);
    assert!(shop.try_send("/named", &other).is_err(), "its answer is lost");
    assert_eq!(shop.send("/named", &other).status, 409);
    express.assert_books(&shop, 3 * REPORT, 0);
}

#[test]
fn many_requests_are_paid_for_out_of_one_hold() {
    let shop = Shop::open();
    let express = Express::start(&shop, "test/streamed_server.js");
    let printed = run(&shop, "test/streamed_agent.js", &[&express.url("")]).unwrap();
    let bought: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(bought["ticks"], json!(vec![200; 20]));
    // The voucher of a request that failed pays for the next.
    assert_eq!(bought["odd"], json!([200, 200, 500, 200, 200, 500, 200, 200, 500]));
    assert_eq!(bought["signedFor"], "100000", "one hold was opened");
    shop.wait_until_held(100_000);
    express.assert_books(&shop, 0, 100_000);

    // Nobody uses it any more: it is closed at what was served, not at the last voucher, whose request failed.
    shop.wait_until_nothing_is_held();
    express.assert_books(&shop, 26_000, 0);
}
