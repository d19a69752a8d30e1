use axum::http::StatusCode;
use serde_json::json;
use x402_escrow_wire::{
    auth_capture::LifecyclePayload,
    text::{Decimal, Hex32},
};

use crate::{
    client::Ask,
    shop::{PRICE, Shop},
};

#[tokio::test]
async fn a_response_is_paid_in_full_before_it_leaves() {
    let shop = Shop::open().await;
    let answer = shop.buy(&Ask::post("/plain", "hello"), 1).await;
    assert_eq!((answer.status, answer.body.as_ref()), (StatusCode::OK, b"POST hello".as_slice()));
    assert_eq!(answer.header("cache-control"), "private");
    assert!(answer.challenge().is_none());

    let settlement = answer.settlement().unwrap();
    assert_eq!((settlement.success, settlement.amount), (true, Some(Decimal(PRICE))));
    let extra = settlement.extra.unwrap();
    assert_eq!(extra["state"], "ended", "the header is the capture's, not the hold's");
    let ended = shop.facilitator.ended();
    let [(id, LifecyclePayload::Capture { amount, fee, last, .. })] = ended.as_slice() else {
        panic!("{ended:?}");
    };
    assert_eq!(extra["paymentId"], id.to_string());
    assert_eq!((amount.0, fee.0, *last), (PRICE, 0, true));
    assert_eq!((shop.facilitator.authorizations_asked(), shop.work.runs()), (1, 1));
}

#[tokio::test]
async fn a_handler_can_take_less() {
    let shop = Shop::open().await;
    let answer = shop.buy(&Ask::get("/part"), 1).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.settlement().unwrap().amount, Some(Decimal(300)));
    assert_eq!(shop.facilitator.captured(), [300]);
}

#[tokio::test]
async fn a_handler_that_wants_more_than_the_price_is_paid_nothing() {
    let shop = Shop::open().await;
    let answer = shop.buy(&Ask::get("/more"), 1).await;
    assert_eq!(
        (answer.status, answer.json()["error"]["code"].as_str()),
        (StatusCode::INTERNAL_SERVER_ERROR, Some("internal_error"))
    );
    assert_eq!(shop.facilitator.captured(), [0]);
}

#[tokio::test]
async fn what_was_not_served_is_released() {
    let shop = Shop::open().await;
    for (nonce, (path, status)) in
        [("/missing", 404), ("/broken", 500), ("/nothing", 200)].into_iter().enumerate()
    {
        let answer = shop.buy(&Ask::get(path), nonce as u64).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        let settlement = answer.settlement().unwrap();
        assert_eq!((settlement.success, settlement.amount), (true, Some(Decimal(0))), "{path}");
        let (_, last) = shop.facilitator.ended().pop().unwrap();
        assert!(matches!(last, LifecyclePayload::Void { amount: Decimal(0), .. }), "{path}: {last:?}");
    }
    assert_eq!(shop.facilitator.captured(), [0, 0, 0]);
}

#[tokio::test]
async fn a_handler_that_panics_is_not_paid() {
    let shop = Shop::open().await;
    let answer = shop.buy(&Ask::get("/panic"), 1).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(shop.captured(1).await, [0]);
}

#[tokio::test]
async fn a_response_that_is_paid_for_is_not_for_shared_caches() {
    let shop = Shop::open().await;
    for (nonce, (path, control)) in [("/public", "private"), ("/secret", "no-store")].into_iter().enumerate()
    {
        let answer = shop.buy(&Ask::get(path), nonce as u64).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header("cache-control"), control, "{path}");
    }
}

#[tokio::test]
async fn a_route_in_a_nested_router_is_sold_under_the_url_that_the_client_asked_for() {
    let shop = Shop::open().await;
    let answer = shop.buy(&Ask::get("/a/b?c=d"), 1).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(shop.facilitator.captured(), [PRICE]);
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_break_the_sale_off() {
    let shop = Shop::open().await;
    let ask = Ask::get("/wait");
    let payment = shop.payment(&ask, 1).await;
    // Dropping the request's future is what a server does when the connection closes.
    tokio::select! {
        _ = shop.pay(&ask, &payment) => panic!("answered too early"),
        () = shop.work.wait_for_runs(1) => {}
    }
    assert!(shop.facilitator.ended().is_empty());
    shop.work.go_on.notify_one();
    assert_eq!(shop.captured(1).await, [PRICE]);
}

#[tokio::test]
async fn the_proof_that_the_receiver_is_listed_reaches_the_facilitator() {
    let shop = Shop::open().await;
    let proof = vec![Hex32([1; 32]), Hex32([2; 32])];
    for path in ["/plain", "/stream"] {
        let mut payment = shop.payment(&Ask::get(path), 1).await;
        payment.payload["receiverProof"] = json!(proof);
        assert_eq!(shop.pay(&Ask::get(path), &payment).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(shop.facilitator.receiver_proofs(), [proof.clone(), proof]);
}
