//! Equal requests under one id, while the first of them is being served.

use std::{future::Future, time::Duration};

use axum::http::StatusCode;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{sleep, timeout};
use x402_escrow_wire::{payment::PaymentPayload, text::Hex32};

use crate::{
    client::{Answer, Ask, voucher},
    identified::{ID, named},
    shop::{PRICE, Shop},
};

const USED: (u16, &str) = (402, "duplicate_settlement");

/// A payment under an id: a held one, the intent that opens a streamed hold, or the second voucher
/// of one.
async fn named_payment(shop: &Shop, ask: &Ask, is_second: bool) -> PaymentPayload {
    if !is_second {
        return named(shop.payment(ask, 1).await, ID);
    }
    let opening = Ask::get("/stream/named");
    let mut payment = shop.payment(&opening, 1).await;
    assert_eq!(shop.pay(&opening, &payment).await.status, StatusCode::OK);
    let id: Hex32 = serde_json::from_value(payment.payload["voucher"]["paymentId"].clone()).unwrap();
    payment.payload = json!(voucher(id, 2 * PRICE));
    named(payment, ID)
}

/// Nothing here takes long unless somebody waits for good.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), future).await.expect("somebody waits for good")
}

/// Sends two equal requests, the second while the first is in its handler, which fails, and then
/// lets both go on.
async fn first_fails(shop: &Shop, ask: &Ask, payment: &PaymentPayload) -> [Answer; 2] {
    let runs = shop.work.runs();
    shop.work.fail(true);
    let second = async {
        shop.work.wait_for_runs(runs + 1).await;
        shop.work.fail(false);
        let go_on = async {
            sleep(Duration::from_millis(100)).await;
            shop.work.go_on.notify_one();
            // For the second, if it gets so far.
            shop.work.go_on.notify_one();
        };
        tokio::join!(shop.pay(ask, payment), go_on).0
    };
    let (first, second) = soon(async { tokio::join!(shop.pay(ask, payment), second) }).await;
    [first, second]
}

/// Sends fifty equal requests at once: one is served, and all are answered alike.
async fn fifty_at_once(shop: &Shop, ask: &Ask, payment: &PaymentPayload) {
    let runs = shop.work.runs();
    let all = join_all((0..50).map(|_| shop.pay(ask, payment)));
    let go_on = async {
        shop.work.wait_for_runs(runs + 1).await;
        sleep(Duration::from_millis(100)).await;
        shop.work.go_on.notify_one();
    };
    let (answers, ()) = soon(async { tokio::join!(all, go_on) }).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"done"[..]), "{}", ask.path);
        assert_eq!((answer.settlement(), &answer.headers), (answers[0].settlement(), &answers[0].headers));
    }
    assert_eq!((shop.work.runs(), shop.facilitator.authorizations_asked()), (runs + 1, 1), "{}", ask.path);
}

#[tokio::test]
async fn of_fifty_equal_requests_at_once_one_is_served_and_all_are_answered_alike() {
    for (path, is_second) in
        [("/named/wait", false), ("/stream/named/wait", false), ("/stream/named/wait", true)]
    {
        let mut shop = Shop::open().await;
        let ask = Ask::get(path);
        let payment = named_payment(&shop, &ask, is_second).await;
        fifty_at_once(&shop, &ask, &payment).await;
        let captured = if is_second { 2 * PRICE } else { PRICE };
        shop.close_idle_streams().await;
        assert_eq!(shop.captured(1).await, [captured], "{path}");
    }
}

#[tokio::test]
async fn a_request_that_failed_is_in_no_later_ones_way() {
    let mut shop = Shop::open().await;
    let ask = Ask::get("/stream/named/stumble");
    let payment = named_payment(&shop, &ask, true).await;
    shop.work.fail(true);
    shop.work.go_on.notify_one();
    assert_eq!(shop.pay(&ask, &payment).await.status, StatusCode::INTERNAL_SERVER_ERROR);
    shop.work.fail(false);
    fifty_at_once(&shop, &ask, &payment).await;
    shop.close_idle_streams().await;
    assert_eq!(shop.captured(1).await, [2 * PRICE]);
}

#[tokio::test]
async fn a_first_that_fails_leaves_the_second_to_its_own_result() {
    let shop = Shop::open().await;
    let ask = Ask::get("/named/stumble");
    let payment = named_payment(&shop, &ask, false).await;
    let [first, second] = first_fails(&shop, &ask, &payment).await;
    assert_eq!(first.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(second.refusal(), (USED.0, USED.1.into()), "what was held was given back");
    assert_eq!((shop.work.runs(), shop.captured(1).await), (1, vec![0]));
}

#[tokio::test]
async fn a_voucher_whose_first_request_fails_or_panics_pays_for_the_second() {
    for path in ["/stream/named/stumble", "/stream/named/fall"] {
        let mut shop = Shop::open().await;
        let ask = Ask::get(path);
        let payment = named_payment(&shop, &ask, true).await;
        let [first, second] = first_fails(&shop, &ask, &payment).await;
        assert_eq!(first.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert_eq!((second.status, &second.body[..]), (StatusCode::OK, &b"done"[..]), "{path}");
        let again = shop.pay(&ask, &payment).await;
        assert_eq!((again.status, again.settlement()), (second.status, second.settlement()));
        shop.close_idle_streams().await;
        assert_eq!((shop.work.runs(), shop.captured(1).await), (3, vec![2 * PRICE]), "{path}");
    }
}

#[tokio::test]
async fn a_first_whose_client_hangs_up_leaves_the_second_its_answer() {
    let shop = Shop::open().await;
    let ask = Ask::get("/named/wait");
    let payment = named_payment(&shop, &ask, false).await;
    let second = shop.pay(&ask, &payment);
    tokio::pin!(second);
    {
        // Dropping a request's future is what a server does when its connection closes.
        let first = shop.pay(&ask, &payment);
        tokio::pin!(first);
        tokio::select! {
            _ = &mut first => panic!("answered too early"),
            () = soon(shop.work.wait_for_runs(1)) => {}
        }
        tokio::select! {
            _ = &mut first => panic!("answered too early"),
            answer = &mut second => panic!("did not wait: {answer:?}"),
            () = sleep(Duration::from_millis(100)) => {}
        }
    }
    shop.work.go_on.notify_one();
    let second = soon(second).await;
    assert_eq!((second.status, &second.body[..]), (StatusCode::OK, &b"done"[..]));
    assert_eq!((shop.work.runs(), shop.captured(1).await), (1, vec![PRICE]));
}
