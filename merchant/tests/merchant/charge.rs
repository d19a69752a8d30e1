//! Prices that are charged at once, as all are that say nothing more.

use std::time::Duration;

use axum::http::StatusCode;
use x402_escrow_wire::{
    auth_capture::{CaptureAuthorizer, Extra},
    text::Decimal,
};

use crate::{
    client::Ask,
    facilitator::{
        Answer::{Lost, No},
        YES,
    },
    shop::{PRICE, Shop},
};

#[tokio::test]
async fn a_price_that_says_nothing_more_is_charged_at_once() {
    let shop = Shop::open().await;
    let payment = shop.payment(&Ask::get("/charge"), 1).await;
    let extra = Extra::read(&payment.accepted).unwrap();
    assert_eq!(extra.payment_flow, "authorization");
    assert_eq!(extra.capture_authorizer, CaptureAuthorizer::Key(Shop::key()));
    let held = shop.payment(&Ask::get("/plain"), 1).await;
    assert_eq!(Extra::read(&held.accepted).unwrap().payment_flow, "escrow", "it asks for a hold");
}

#[tokio::test]
async fn nothing_is_signed_while_the_handler_runs_and_the_answer_leaves_once_it_is_charged() {
    let shop = Shop::open().await;
    let ask = Ask::get("/charge/wait");
    let payment = shop.payment(&ask, 1).await;
    shop.facilitator.close_gate();
    let sale = shop.pay(&ask, &payment);
    tokio::pin!(sale);
    tokio::select! {
        _ = &mut sale => panic!("answered too early"),
        () = shop.work.wait_for_runs(1) => {}
    }
    assert_eq!((shop.facilitator.verified(), shop.facilitator.asked().len()), (1, 0));
    shop.work.go_on.notify_one();
    let asked = async {
        while shop.facilitator.authorizations_asked() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    tokio::select! {
        _ = &mut sale => panic!("answered before it was charged"),
        () = asked => {}
    }
    shop.facilitator.open_gate();
    let answer = sale.await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"done"[..]));
    assert_eq!(answer.header("cache-control"), "private");
    let settlement = answer.settlement().unwrap();
    assert_eq!((settlement.success, settlement.amount), (true, Some(Decimal(PRICE))));
    assert_eq!(settlement.extra.unwrap()["state"], "paid");
    assert_eq!(shop.facilitator.charged(), [PRICE]);
}

#[tokio::test]
async fn what_the_handler_takes_is_charged_and_nothing_where_it_fails_or_takes_nothing() {
    let shop = Shop::open().await;
    for (nonce, (path, status, charged)) in [
        ("/charge/part", StatusCode::OK, Some(300)),
        ("/charge/nothing", StatusCode::OK, None),
        ("/charge/missing", StatusCode::NOT_FOUND, None),
    ]
    .into_iter()
    .enumerate()
    {
        let before = shop.facilitator.charged().len();
        let answer = shop.buy(&Ask::get(path), nonce as u64).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(shop.facilitator.charged().get(before).copied(), charged, "{path}");
        assert_eq!(answer.settlement().is_some(), charged.is_some(), "{path}: a receipt of what was charged");
    }
}

#[tokio::test]
async fn a_charge_that_was_refused_or_got_lost_sells_nothing_until_it_is_made() {
    let mut shop = Shop::open().await;
    let ask = Ask::get("/charge");
    let payment = shop.payment(&ask, 1).await;
    shop.facilitator.answer_payments(No("insufficient_funds"));
    assert_eq!(shop.pay(&ask, &payment).await.refusal(), (402, "insufficient_funds".into()));
    assert_eq!(shop.work.runs(), 0, "it is asked for before the handler runs");
    shop.facilitator.answer_payments(Lost);
    assert_eq!(shop.pay(&ask, &payment).await.status, StatusCode::SERVICE_UNAVAILABLE);

    // What was signed is on disk, and is all that a charge needs.
    shop.facilitator.answer_payments(YES);
    shop.restart().await;
    assert_eq!(shop.pay(&ask, &payment).await.status, StatusCode::OK);
    assert_eq!(shop.pay(&ask, &payment).await.refusal(), (402, "duplicate_settlement".into()));
    assert_eq!((shop.work.runs(), shop.facilitator.charged()), (2, vec![PRICE]));
}
