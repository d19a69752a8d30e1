use axum::http::{Method, StatusCode};
use serde_json::json;
use x402_escrow_wire::{
    auth_capture::LifecyclePayload,
    payment::PaymentPayload,
    text::{Base58, Decimal, Hex32, encode_header},
};

use crate::{
    client::{Ask, sign},
    facilitator::Answer::{Broken, No, Yes},
    shop::Shop,
};

impl Shop {
    fn assert_untouched(&self, asked: usize) {
        assert_eq!(self.work.runs(), 0, "the handler ran");
        assert_eq!(self.facilitator.authorizations_asked(), asked, "payments that the facilitator was asked");
        assert!(self.facilitator.ended().is_empty(), "a capture or a release was signed");
    }
}

#[tokio::test]
async fn a_header_that_cannot_be_read_is_answered_400_and_says_what_is_wrong() {
    let shop = Shop::open().await;
    let ask = Ask::get("/plain");
    let payment = json!(shop.payment(&ask, 1).await);
    let altered = |alter: &dyn Fn(&mut serde_json::Value)| {
        let mut payment = payment.clone();
        alter(&mut payment);
        encode_header(&payment).unwrap()
    };
    let cases: Vec<(String, &str)> = vec![
        ("%".into(), "base64"),
        ("aGVsbG8=".into(), "JSON"),
        (encode_header(&json!({})).unwrap(), "x402Version"),
        (altered(&|payment| payment["accepted"] = json!(null)), "accepted"),
        (altered(&|payment| payment["accepted"]["amount"] = json!(1)), "accepted.amount"),
        (altered(&|payment| payment["accepted"]["payTo"] = json!("x")), "accepted.payTo"),
        (altered(&|payment| _ = payment.as_object_mut().unwrap().remove("payload")), "payload"),
    ];
    for (header, named) in cases {
        let answer = shop.send(&ask, Some(&header)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{named}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(named), "{named}: {message}");
    }
    shop.assert_untouched(0);
}

#[tokio::test]
async fn a_payment_for_something_else_buys_nothing() {
    let shop = Shop::open().await;
    let ask = Ask::post("/plain", "hello");
    let payment = shop.payment(&ask, 1).await;
    for other in [
        Ask::post("/plain", "goodbye"),
        Ask { method: Method::PUT, ..ask.clone() },
        Ask { path: "/plain?a=b".into(), ..ask.clone() },
    ] {
        let answer = shop.pay(&other, &payment).await;
        assert_eq!(answer.refusal(), (402, "invalid_payment_requirements".into()), "{other:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(answer.challenge().is_some(), "a refusal asks anew");
    }
    shop.assert_untouched(0);
}

#[tokio::test]
async fn terms_that_the_client_altered_buy_nothing_though_they_are_signed() {
    let shop = Shop::open().await;
    let ask = Ask::get("/plain");
    type Alter = fn(&mut PaymentPayload);
    let cases: [(&str, &str, Alter); 9] = [
        ("amount", "invalid_payment_requirements", |payment| payment.accepted.amount = Decimal(1)),
        ("asset", "invalid_payment_requirements", |payment| payment.accepted.asset = Base58([9; 32])),
        ("payTo", "invalid_payment_requirements", |payment| payment.accepted.pay_to = Base58([9; 32])),
        ("network", "invalid_payment_requirements", |payment| payment.accepted.network = "solana:x".into()),
        ("captureAuthorizer", "invalid_payment_requirements", |payment| {
            payment.accepted.extra["captureAuthorizer"] = json!(Base58([9; 32]));
        }),
        ("receiverAuthorizer", "invalid_payment_requirements", |payment| {
            payment.accepted.extra["receiverAuthorizer"] = json!(Base58([9; 32]));
        }),
        ("program", "invalid_payment_requirements", |payment| {
            payment.accepted.extra["program"] = json!(Base58([9; 32]));
        }),
        ("captureDeadline", "invalid_auth_capture_svm_deadlines", |payment| {
            payment.accepted.extra["captureDeadline"] = json!(4_000_000_000_i64);
        }),
        ("captureDeadline", "invalid_auth_capture_svm_deadlines", |payment| {
            payment.accepted.extra["captureDeadline"] = json!(1_700_000_000);
        }),
    ];
    for (field, code, alter) in cases {
        let mut payment = shop.payment(&ask, 1).await;
        alter(&mut payment);
        sign(&mut payment, 1);
        let answer = shop.pay(&ask, &payment).await;
        assert_eq!(answer.refusal(), (402, code.into()), "{field}");
        let message = answer.settlement().unwrap().error_message.unwrap();
        assert!(message.contains(field), "{field}: {message}");
    }
    shop.assert_untouched(0);
}

#[tokio::test]
async fn a_client_cannot_send_what_only_merchants_send() {
    let shop = Shop::open().await;
    let ask = Ask::get("/plain");
    let mut payment = shop.payment(&ask, 1).await;
    payment.payload = json!(LifecyclePayload::Void {
        payment_id: Hex32([1; 32]),
        amount: Decimal(0),
        signature: Base58([1; 64]),
    });
    assert_eq!(shop.pay(&ask, &payment).await.refusal(), (402, "invalid_payload".into()));
    let mut payment = shop.payment(&ask, 1).await;
    payment.x402_version = 1;
    assert_eq!(shop.pay(&ask, &payment).await.refusal(), (402, "invalid_x402_version".into()));
    shop.assert_untouched(0);
}

#[tokio::test]
async fn the_facilitators_no_is_passed_on() {
    let shop = Shop::open().await;
    shop.facilitator.answer_payments(No("insufficient_funds"));
    let answer = shop.buy(&Ask::get("/plain"), 1).await;
    assert_eq!(answer.refusal(), (402, "insufficient_funds".into()));
    assert_eq!(answer.settlement().unwrap().error_message.unwrap(), "because the test says so");
    assert!(answer.challenge().unwrap().error.unwrap().contains("insufficient_funds"));
    shop.assert_untouched(1);

    // Once there are funds, the same terms can be paid.
    shop.facilitator.answer_payments(crate::facilitator::YES);
    assert_eq!(shop.buy(&Ask::get("/plain"), 1).await.status, StatusCode::OK);
}

#[tokio::test]
async fn without_a_verdict_nothing_is_served() {
    let shop = Shop::open().await;
    shop.facilitator.answer_payments(Broken(StatusCode::INTERNAL_SERVER_ERROR));
    let answer = shop.buy(&Ask::get("/plain"), 1).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["error"]["code"], "facilitator_unavailable");
    shop.assert_untouched(1);

    shop.facilitator.stop();
    let answer = shop.buy(&Ask::get("/plain"), 2).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    shop.assert_untouched(1);
}

#[tokio::test]
async fn a_hold_that_is_less_final_than_the_price_asks_buys_nothing() {
    let shop = Shop::open().await;
    let ask = Ask::get("/final");
    for (nonce, status) in ["processed", "confirmed", "unsettled"].into_iter().enumerate() {
        shop.facilitator.answer_payments(Yes { status });
        let answer = shop.buy(&ask, nonce as u64).await;
        assert!(!answer.status.is_success(), "{status}");
        assert_eq!(shop.work.runs(), 0, "{status}");
    }
    shop.facilitator.answer_payments(Yes { status: "finalized" });
    assert_eq!(shop.buy(&ask, 10).await.status, StatusCode::OK);
}
