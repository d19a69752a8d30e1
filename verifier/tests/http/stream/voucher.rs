//! Which vouchers are taken.

use std::collections::HashSet;

use serde_json::json;
use x402_escrow_wire::{
    auth_capture::VoucherPayload,
    text::{Base58, Decimal, Hex32},
};

use super::{Channel, HOLD, PRICE, opening, signed, terms, with_extra};
use crate::world::{MERCHANT, SESSION, World, envelope};

#[tokio::test]
async fn replay_decrease_overrun_and_underpayment_are_refused_each_by_its_code() {
    let channel = Channel::open().await;
    channel.accept(300, 200).await;
    for (amount, code) in [
        (300, "voucher_repeated"),
        (299, "voucher_decreased"),
        (100, "voucher_decreased"),
        (399, "voucher_below_price"),
        (HOLD + 1, "voucher_above_hold"),
        (u64::MAX, "voucher_above_hold"),
    ] {
        channel.refuse(&channel.voucher(amount), code).await;
    }
    channel.accept(400, 100).await;
}

#[tokio::test]
async fn a_voucher_for_another_hold_or_by_another_key_is_refused() {
    let channel = Channel::open().await;
    let body = |voucher: VoucherPayload| envelope(&channel.terms, json!(voucher));
    let other = Hex32([9; 32]);
    channel.refuse(&body(signed(other, 200, 0, SESSION)), "payment_not_found").await;
    channel.refuse(&body(signed(channel.id, 200, 0, MERCHANT)), "authorizer_signature").await;
    let mut moved = signed(other, 200, 0, SESSION);
    moved.payment_id = channel.id;
    channel.refuse(&body(moved), "authorizer_signature").await;
    let mut raised = signed(channel.id, 200, 0, SESSION);
    raised.amount = Decimal(300);
    channel.refuse(&body(raised), "authorizer_signature").await;
    channel.refuse(&body(signed(channel.id, 200, 1, SESSION)), "voucher_fee").await;
    // A payment that is not streamed: its capture authorizer is the merchant.
    let plain = channel.world.authorize(1000, 2).await;
    channel.refuse(&body(signed(plain, 200, 0, SESSION)), "voucher_wrong_hold").await;
    channel.refuse(&body(signed(plain, 200, 0, MERCHANT)), "voucher_wrong_hold").await;
}

#[tokio::test]
async fn a_voucher_on_other_terms_than_the_holds_is_refused() {
    let channel = Channel::open().await;
    let voucher = json!(signed(channel.id, 200, 0, SESSION));
    let elsewhere = with_extra(channel.terms.clone(), |extra| extra.resource_hash = Hex32([1; 32]));
    channel.refuse(&envelope(&elsewhere, voucher.clone()), "voucher_wrong_hold").await;
    let another = with_extra(channel.terms.clone(), |extra| extra.receiver_authorizer = Base58([9; 32]));
    channel.refuse(&envelope(&another, voucher.clone()), "voucher_wrong_hold").await;
    channel.refuse(&envelope(&channel.world.requirements(HOLD), voucher.clone()), "voucher_wrong_hold").await;
    let dearer = with_extra(channel.terms.clone(), |extra| extra.request_price = Some(Decimal(101)));
    channel.refuse(&envelope(&dearer, voucher.clone()), "voucher_below_price").await;
    let free = with_extra(channel.terms.clone(), |extra| extra.request_price = Some(Decimal(0)));
    channel.refuse(&envelope(&free, voucher), "extra").await;
}

#[tokio::test]
async fn of_equal_vouchers_at_once_exactly_one_is_new() {
    let channel = Channel::open().await;
    let body = channel.voucher(200);
    let answers = futures_util::future::join_all((0..50).map(|_| channel.world.settle(&body))).await;
    let new = answers.iter().filter(|answer| answer["success"] == true).count();
    assert_eq!(new, 1);
    let reasons: HashSet<_> = answers.iter().filter_map(|answer| answer["errorReason"].as_str()).collect();
    assert_eq!(reasons, HashSet::from(["invalid_auth_capture_svm_voucher_repeated"]));
}

#[tokio::test]
async fn vouchers_at_once_never_serve_for_less_than_the_price() {
    let channel = Channel::open().await;
    let bodies: Vec<_> = (2..=10).map(|step| channel.voucher(step * PRICE)).collect();
    let answers = futures_util::future::join_all(bodies.iter().map(|body| channel.world.settle(body))).await;
    let served = answers.iter().filter(|answer| answer["success"] == true).count() as u64;
    let paid: u64 = answers.iter().filter_map(|answer| answer["amount"].as_str()?.parse::<u64>().ok()).sum();
    let vouched: u64 = channel.vouched().await.as_str().unwrap().parse().unwrap();
    assert_eq!(paid + PRICE, vouched);
    assert!(served * PRICE <= paid, "{served} requests for {paid}");
}

#[tokio::test]
async fn an_opening_without_a_good_voucher_holds_nothing() {
    let world = World::new().await;
    let terms = terms(&world);
    let before = world.everything().await;
    let without = world.body(&terms, 1);
    let mut forged = opening(&world, &terms, 1, PRICE);
    forged["paymentPayload"]["payload"]["voucher"]["amount"] = json!("200");
    let mut foreign = opening(&world, &terms, 1, PRICE);
    foreign["paymentPayload"]["payload"]["voucher"] = json!(signed(Hex32([1; 32]), PRICE, 0, SESSION));
    for (body, code) in [
        (without, "invalid_payload"),
        (forged, "invalid_auth_capture_svm_authorizer_signature"),
        (foreign, "invalid_auth_capture_svm_voucher_wrong_hold"),
        (opening(&world, &terms, 1, PRICE - 1), "invalid_auth_capture_svm_voucher_below_price"),
        (opening(&world, &terms, 1, HOLD + 1), "invalid_auth_capture_svm_voucher_above_hold"),
        (opening(&world, &terms, 1, 0), "invalid_auth_capture_svm_voucher_repeated"),
    ] {
        let answer = world.settle(&body).await;
        assert_eq!((&answer["success"], &answer["errorReason"]), (&json!(false), &json!(code)), "{answer}");
    }
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn the_opening_again_is_already_settled() {
    let world = World::new().await;
    let body = opening(&world, &terms(&world), 1, PRICE);
    world.settled(&body).await;
    let again = world.settle(&body).await;
    assert_eq!(
        (&again["success"], &again["extra"]["alreadySettled"]),
        (&json!(true), &json!(true)),
        "{again}"
    );
    assert_eq!(world.sent(), 1);
}
