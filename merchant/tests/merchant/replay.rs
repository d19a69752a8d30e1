use axum::http::StatusCode;
use futures_util::future::join_all;

use crate::{
    client::Ask,
    facilitator::{
        Answer::{Broken, No, Pending},
        YES,
    },
    shop::{PRICE, Shop},
};

const USED: (u16, &str) = (402, "duplicate_settlement");

#[tokio::test]
async fn a_payment_buys_once() {
    let mut shop = Shop::open().await;
    let ask = Ask::get("/plain");
    let payment = shop.payment(&ask, 1).await;
    assert_eq!(shop.pay(&ask, &payment).await.status, StatusCode::OK);
    let (status, reason) = shop.pay(&ask, &payment).await.refusal();
    assert_eq!((status, reason.as_str()), USED);

    // The facilitator remembers what a merchant that started again does not.
    shop.restart().await;
    let (status, reason) = shop.pay(&ask, &payment).await.refusal();
    assert_eq!((status, reason.as_str()), USED);
    assert_eq!((shop.work.runs(), shop.facilitator.captured()), (1, vec![PRICE]));
}

#[tokio::test]
async fn a_payment_that_was_given_back_buys_nothing() {
    let shop = Shop::open().await;
    let ask = Ask::get("/broken");
    let payment = shop.payment(&ask, 1).await;
    assert_eq!(shop.pay(&ask, &payment).await.status, StatusCode::INTERNAL_SERVER_ERROR);
    let (status, reason) = shop.pay(&ask, &payment).await.refusal();
    assert_eq!((status, reason.as_str()), USED);
}

#[tokio::test]
async fn of_fifty_at_once_one_is_served() {
    let shop = Shop::open().await;
    let ask = Ask::get("/plain");
    let payment = shop.payment(&ask, 1).await;
    // Holding the first one back makes sure that the others come while it is under way.
    shop.facilitator.close_gate();
    let all = join_all((0..50).map(|_| shop.pay(&ask, &payment)));
    let open = async {
        while shop.facilitator.authorizations_asked() == 0 {
            tokio::task::yield_now().await;
        }
        shop.facilitator.open_gate();
    };
    let (answers, ()) = tokio::join!(all, open);
    let served = answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
    let used = answers.iter().filter(|answer| answer.refusal() == (USED.0, USED.1.into())).count();
    assert_eq!((served, used), (1, 49));
    assert_eq!((shop.work.runs(), shop.facilitator.captured()), (1, vec![PRICE]));
}

#[tokio::test]
async fn a_payment_that_was_told_to_come_again_can_and_buys_once() {
    let shop = Shop::open().await;
    let ask = Ask::get("/plain");
    for (nonce, answer) in [Pending, Broken(StatusCode::GATEWAY_TIMEOUT)].into_iter().enumerate() {
        shop.facilitator.answer_payments(answer);
        let payment = shop.payment(&ask, nonce as u64).await;
        let first = shop.pay(&ask, &payment).await;
        let told = match answer {
            Pending => first.refusal() == (402, "settlement_pending".into()),
            _ => first.status == StatusCode::SERVICE_UNAVAILABLE,
        };
        assert!(told, "{answer:?}: {first:?}");
        assert_eq!(shop.work.runs(), nonce, "{answer:?}");

        shop.facilitator.answer_payments(YES);
        assert_eq!(shop.pay(&ask, &payment).await.status, StatusCode::OK, "{answer:?}");
        let (status, reason) = shop.pay(&ask, &payment).await.refusal();
        assert_eq!((status, reason.as_str()), USED, "{answer:?}");
        assert_eq!(shop.facilitator.captured().len(), nonce + 1, "{answer:?}");
    }
}

#[tokio::test]
async fn a_repeat_without_a_verdict_makes_nothing_that_was_served_buy_again() {
    for status in [400, 413, 429, 500, 503].map(|code| StatusCode::from_u16(code).unwrap()) {
        let shop = Shop::open().await;
        // The hold stays as it was held: its capture is still to be made.
        shop.facilitator.answer_ends(No("unexpected_settle_error"));
        let ask = Ask::get("/plain");
        let payment = shop.payment(&ask, 1).await;
        assert_eq!(shop.pay(&ask, &payment).await.status, StatusCode::OK);
        for _ in 0..3 {
            shop.facilitator.answer_payments(Broken(status));
            assert_ne!(shop.pay(&ask, &payment).await.status, StatusCode::OK, "{status}");
            shop.facilitator.answer_payments(YES);
            let (code, reason) = shop.pay(&ask, &payment).await.refusal();
            assert_eq!((code, reason.as_str()), USED, "{status}");
        }
        assert_eq!(shop.work.runs(), 1, "{status}");
    }
}

#[tokio::test]
async fn junk_in_a_payment_never_reaches_the_facilitator() {
    let shop = Shop::open().await;
    let ask = Ask::get("/plain");
    let mut payment = shop.payment(&ask, 1).await;
    payment.payload["junk"] = serde_json::json!([[[1]]]);
    assert_eq!(shop.pay(&ask, &payment).await.status, StatusCode::OK);
    assert!(!serde_json::json!(shop.facilitator.asked()).to_string().contains("junk"));
}
