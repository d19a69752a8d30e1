//! Purchases that have an id: a repeat is answered as before, and served once.

use axum::http::StatusCode;
use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use x402_escrow_wire::{
    payment::PaymentPayload,
    payment_identifier::{EXTENSION, Offer, declaration},
    text::Hex32,
};

use crate::{
    client::{Ask, voucher},
    facilitator::{Answer::Broken, YES},
    shop::{PRICE, Shop},
};

pub(crate) const ID: &str = "pay_0123456789abcdef";

pub(crate) fn named(mut payment: PaymentPayload, id: &str) -> PaymentPayload {
    let extension = json!({ "info": { "required": false, "id": id } });
    payment.extensions = Some(Map::from_iter([(EXTENSION.to_owned(), extension)]));
    payment
}

#[tokio::test]
async fn a_route_says_whether_it_takes_ids() {
    let shop = Shop::open().await;
    for (path, offer, word) in
        [("/named", Offer::Optional, "optional"), ("/must-be-named", Offer::Required, "required")]
    {
        let challenge = shop.send(&Ask::get(path), None).await.challenge().unwrap();
        assert_eq!(challenge.extensions.unwrap()[EXTENSION], declaration(offer));
        assert_eq!(challenge.accepts[0]["extra"]["paymentIdentifier"], word);
    }
    let challenge = shop.send(&Ask::get("/plain"), None).await.challenge().unwrap();
    assert!(!challenge.extensions.unwrap().contains_key(EXTENSION));
    assert_eq!(challenge.accepts[0]["extra"]["paymentIdentifier"], Value::Null);
}

#[tokio::test]
async fn a_repeat_is_answered_as_before_and_served_once() {
    let mut shop = Shop::open().await;
    for (index, path) in ["/named", "/must-be-named"].into_iter().enumerate() {
        let ask = Ask::get(path);
        let payment = named(shop.payment(&ask, index as u64).await, ID);
        let first = shop.pay(&ask, &payment).await;
        assert_eq!(first.status, StatusCode::OK);
        for again in join_all((0..20).map(|_| shop.pay(&ask, &payment))).await {
            assert_eq!((again.status, &again.body), (first.status, &first.body));
            assert_eq!((again.settlement(), &again.headers), (first.settlement(), &first.headers));
        }
        assert_eq!((shop.work.runs(), shop.facilitator.captured()), (index + 1, vec![PRICE; index + 1]));
    }
    // Without its id it is the payment that bought something before; so it is to a merchant that
    // started again.
    let ask = Ask::get("/named");
    let payment = shop.payment(&ask, 7).await;
    assert_eq!(shop.pay(&ask, &named(payment.clone(), ID)).await.status, StatusCode::OK);
    assert_eq!(shop.pay(&ask, &payment).await.refusal(), (402, "duplicate_settlement".into()));
    shop.restart().await;
    assert_eq!(shop.pay(&ask, &named(payment, ID)).await.refusal(), (402, "duplicate_settlement".into()));
    assert_eq!(shop.work.runs(), 3);
}

#[tokio::test]
async fn an_id_gets_nobody_the_answer_to_another_request() {
    let shop = Shop::open().await;
    let ask = Ask::post("/named", "one");
    let payment = named(shop.payment(&ask, 1).await, ID);
    assert_eq!(shop.pay(&ask, &payment).await.body, "POST one");
    assert_eq!(shop.pay(&Ask::post("/named", "other"), &payment).await.status, StatusCode::PAYMENT_REQUIRED);
    let mut forged = payment.clone();
    forged.payload["nonce"] = json!("2");
    let other = shop.pay(&ask, &forged).await;
    assert_ne!(other.header("payment-response"), shop.pay(&ask, &payment).await.header("payment-response"));
}

#[tokio::test]
async fn bad_ids_are_told() {
    let shop = Shop::open().await;
    let (may, must) = (Ask::get("/named"), Ask::get("/must-be-named"));
    let good = shop.payment(&may, 1).await;
    for (ask, payment) in [
        (&may, named(good.clone(), "short")),
        (&may, named(good.clone(), "with a space in it.")),
        (&must, shop.payment(&must, 2).await),
    ] {
        let answer = shop.pay(ask, &payment).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (StatusCode::BAD_REQUEST, &json!("invalid_payload"))
        );
        assert!(answer.json()["error"]["message"].as_str().unwrap().contains("payment-identifier.info.id"));
    }
    // Who paid before the route needed ids learns of it.
    let mut older = shop.payment(&must, 3).await;
    older.accepted.extra.remove("paymentIdentifier");
    let answer = shop.pay(&must, &older).await;
    assert_eq!(answer.refusal(), (402, "invalid_payment_requirements".into()));
    assert!(answer.challenge().unwrap().extensions.is_some());
    // What the facilitator says of an id that is another payment's.
    shop.facilitator.answer_payments(Broken(StatusCode::CONFLICT));
    let answer = shop.pay(&may, &named(good, ID)).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (StatusCode::CONFLICT, &json!("payment_identifier_conflict"))
    );
    shop.facilitator.answer_payments(YES);
    assert_eq!(shop.work.runs(), 0);
}

#[tokio::test]
async fn a_repeated_voucher_is_answered_as_before() {
    let shop = Shop::open().await;
    let ask = Ask::get("/stream/named");
    let mut payment = shop.payment(&ask, 1).await;
    assert_eq!(shop.pay(&ask, &named(payment.clone(), ID)).await.status, StatusCode::OK);
    let id: Hex32 = serde_json::from_value(payment.payload["voucher"]["paymentId"].clone()).unwrap();
    payment.payload = json!(voucher(id, 2 * PRICE));
    let payment = named(payment, "pay_the_second_request");
    let first = shop.pay(&ask, &payment).await;
    assert_eq!(first.status, StatusCode::OK);
    let again = shop.pay(&ask, &payment).await;
    assert_eq!((again.status, again.settlement()), (first.status, first.settlement()));
    assert_eq!(shop.work.runs(), 2);
}
