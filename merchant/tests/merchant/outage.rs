use std::time::Duration;

use axum::http::StatusCode;
use x402_escrow_wire::text::Decimal;

use crate::{
    client::Ask,
    facilitator::{
        Answer::{Broken, No},
        YES,
    },
    shop::{PRICE, Shop},
};

#[tokio::test]
async fn what_was_served_is_captured_later_if_it_cannot_be_now() {
    let shop = Shop::open().await;
    shop.facilitator.answer_ends(No("unexpected_settle_error"));
    let answer = shop.buy(&Ask::get("/plain"), 1).await;
    assert_eq!(answer.status, StatusCode::OK);
    let settlement = answer.settlement().unwrap();
    assert_eq!((settlement.success, settlement.amount), (true, Some(Decimal(PRICE))));
    assert_eq!(settlement.extra.unwrap()["state"], "authorized", "the header is the hold's");
    assert!(shop.facilitator.ended().is_empty());

    shop.facilitator.answer_ends(YES);
    assert_eq!(shop.captured(1).await, [PRICE]);
}

#[tokio::test]
async fn a_signed_capture_outlives_the_merchant() {
    let mut shop = Shop::open().await;
    shop.facilitator.answer_ends(No("settlement_pending"));
    assert_eq!(shop.buy(&Ask::get("/part"), 1).await.status, StatusCode::OK);
    shop.router = axum::Router::new();
    shop.facilitator.answer_ends(YES);
    shop.restart().await;
    assert_eq!(shop.captured(1).await, [300]);
}

#[tokio::test]
async fn a_facilitator_that_lost_its_memory_is_asked_again() {
    let shop = Shop::open().await;
    shop.facilitator.answer_ends(No("invalid_auth_capture_svm_payment_not_found"));
    assert_eq!(shop.buy(&Ask::get("/plain"), 1).await.status, StatusCode::OK);
    shop.facilitator.answer_ends(YES);
    assert_eq!(shop.captured(1).await, [PRICE]);
}

#[tokio::test]
async fn a_hold_whose_handler_was_broken_off_by_a_crash_is_given_back() {
    let mut shop = Shop::open().await;
    let ask = Ask::get("/wait");
    let payment = shop.payment(&ask, 1).await;
    tokio::select! {
        _ = shop.pay(&ask, &payment) => panic!("answered too early"),
        () = shop.work.wait_for_runs(1) => {}
    }
    // The task of the first life never ends, as if its process were gone.
    shop.restart().await;
    assert_eq!(shop.captured(1).await, [0]);
}

#[tokio::test]
async fn an_answer_that_was_lost_on_the_way_captures_once() {
    let shop = Shop::open().await;
    shop.facilitator.answer_ends(Broken(StatusCode::BAD_GATEWAY));
    assert_eq!(shop.buy(&Ask::get("/plain"), 1).await.status, StatusCode::OK);
    assert_eq!(shop.facilitator.captured(), [PRICE]);
    let asked = shop.facilitator.asked().len();
    shop.facilitator.answer_ends(YES);
    shop.until("it is settled again", || shop.facilitator.asked().len() > asked).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(shop.facilitator.captured(), [PRICE]);
}

#[tokio::test]
async fn a_capture_and_a_release_are_kept_while_the_hold_is_in_no_block() {
    let shop = Shop::open().await;
    // What the verifier says of a hold whose block was dropped, until it is in a block again.
    shop.facilitator.answer_ends(No("settlement_pending"));
    assert_eq!(shop.buy(&Ask::get("/plain"), 1).await.status, StatusCode::OK);
    assert_eq!(shop.buy(&Ask::get("/broken"), 2).await.status, StatusCode::INTERNAL_SERVER_ERROR);
    shop.facilitator.answer_ends(YES);
    let mut captured = shop.captured(2).await;
    captured.sort_unstable();
    assert_eq!(captured, [0, PRICE]);
}

#[tokio::test]
async fn many_captures_that_wait_do_not_wait_for_each_other() {
    const COUNT: u64 = 32;
    let mut shop = Shop::open().await;
    shop.facilitator.answer_ends(No("settlement_pending"));
    for nonce in 1..=COUNT {
        assert_eq!(shop.buy(&Ask::get("/plain"), nonce).await.status, StatusCode::OK);
    }
    shop.facilitator.close_ends_gate();
    shop.facilitator.answer_ends(YES);
    // To a merchant that starts all are due. One after another, the first would wait here for good.
    shop.restart().await;
    shop.until("many wait", || shop.facilitator.ends_waiting() > 8).await;
    shop.facilitator.open_ends_gate();
    assert_eq!(shop.captured(COUNT as usize).await, [PRICE; COUNT as usize]);
}
