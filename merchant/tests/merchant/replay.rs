use axum::http::StatusCode;
use futures_util::future::join_all;

use crate::{
    client::Ask,
    facilitator::{
        Answer::{Broken, Pending},
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
