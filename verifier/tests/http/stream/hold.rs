//! What becomes of a streamed hold.

use serde_json::{Value, json};
use solana_sdk::transaction::TransactionError;
use x402_escrow_wire::{
    auth_capture::{Commitment, LifecyclePayload},
    clock::unix_now,
    text::Decimal,
};

use super::{Channel, HOLD, PRICE, opening, signed, terms, with_extra};
use crate::{
    wait,
    world::{FUNDS, Options, SESSION, World, envelope},
};

#[tokio::test]
async fn many_requests_take_two_transactions() {
    let channel = Channel::open().await;
    for request in 2..=7 {
        channel.accept(request * PRICE, PRICE).await;
    }
    assert_eq!(channel.world.sent(), 1, "vouchers touch no chain");
    assert_eq!(channel.balances(), (FUNDS, HOLD, 0));
    let answer = channel.world.settled(&channel.close(700)).await;
    assert_eq!((&answer["amount"], &answer["extra"]["state"]), (&json!("700"), &json!("ended")), "{answer}");
    assert_eq!(channel.world.sent(), 2);
    assert_eq!(channel.balances(), (FUNDS - 700, 0, 700));
    let payment = channel.world.payment(channel.id).await;
    assert_eq!((&payment["captured"], &payment["released"]), (&json!("700"), &json!("300")));
}

#[tokio::test]
async fn closing_again_sends_nothing_and_a_closed_hold_takes_no_voucher() {
    let channel = Channel::open().await;
    channel.world.settled(&channel.close(PRICE)).await;
    let sent = channel.world.sent();
    let again = channel.world.settle(&channel.close(PRICE)).await;
    assert_eq!(
        (&again["success"], &again["extra"]["alreadySettled"]),
        (&json!(true), &json!(true)),
        "{again}"
    );
    assert_eq!(channel.world.sent(), sent);
    channel.refuse(&channel.voucher(2 * PRICE), "voucher_hold_closed").await;
}

#[tokio::test]
async fn a_used_up_hold_is_captured_whole() {
    let channel = Channel::open().await;
    channel.accept(HOLD, HOLD - PRICE).await;
    channel.refuse(&channel.voucher(HOLD + PRICE), "voucher_hold_closed").await;
    channel.world.settled(&channel.close(HOLD)).await;
    assert_eq!(channel.balances(), (FUNDS - HOLD, 0, HOLD));
}

#[tokio::test]
async fn what_is_captured_on_the_way_is_not_captured_again() {
    let channel = Channel::open().await;
    channel.accept(400, 300).await;
    let capture = envelope(
        &channel.terms,
        json!(LifecyclePayload::Capture {
            payment_id: channel.id,
            amount: Decimal(400),
            fee: Decimal(0),
            last: false,
            signature: signed(channel.id, 400, 0, SESSION).signature,
        }),
    );
    channel.world.settled(&capture).await;
    assert_eq!(channel.balances(), (FUNDS - 400, HOLD - 400, 400));
    channel.accept(500, 100).await;
    channel.world.settled(&channel.close(500)).await;
    assert_eq!(channel.balances(), (FUNDS - 500, 0, 500));
}

#[tokio::test]
async fn closing_what_is_captured_releases_the_rest() {
    let channel = Channel::open().await;
    let capture = LifecyclePayload::Capture {
        payment_id: channel.id,
        amount: Decimal(PRICE),
        fee: Decimal(0),
        last: false,
        signature: signed(channel.id, PRICE, 0, SESSION).signature,
    };
    channel.world.settled(&envelope(&channel.terms, json!(capture))).await;
    let answer = channel.world.settled(&channel.close(PRICE)).await;
    assert_eq!(answer["extra"]["state"], "ended", "{answer}");
    assert_eq!(channel.balances(), (FUNDS - PRICE, 0, PRICE));
}

#[tokio::test]
async fn a_merchant_can_not_release_what_a_voucher_has_bought() {
    let channel = Channel::open().await;
    channel.accept(300, 200).await;
    channel.refuse(&channel.world.void(channel.id, 0), "release").await;
    channel.refuse(&channel.world.void(channel.id, 299), "release").await;
    channel.refuse(&channel.close(400), "release").await;
    // What no voucher has bought yet can go back while the stream goes on.
    channel.world.settled(&channel.world.void(channel.id, 400)).await;
    channel.refuse(&channel.voucher(500), "voucher_above_hold").await;
    channel.accept(400, 100).await;
    channel.world.settled(&channel.close(400)).await;
    assert_eq!(channel.balances(), (FUNDS - 400, 0, 400));
}

#[tokio::test]
async fn a_hold_is_closed_at_what_was_served_and_no_more_is_paid() {
    for (served, kind) in [(200, "close"), (100, "close"), (0, "void")] {
        let channel = Channel::open().await;
        channel.accept(300, 200).await;
        let answer = channel.world.settled(&channel.close(served)).await;
        assert_eq!(answer["amount"], served.to_string(), "{answer}");
        assert_eq!(channel.balances(), (FUNDS - served, 0, served));
        let payment = channel.world.payment(channel.id).await;
        assert_eq!((&payment["state"], &payment["operations"][1]["kind"]), (&json!("ended"), &json!(kind)));
        // The last voucher stays worth nothing more, also after the deadline.
        channel.world.cluster.pass_seconds(700);
        assert_eq!(channel.balances(), (FUNDS - served, 0, served));
        channel.refuse(&channel.voucher(400), "voucher_hold_closed").await;
    }
}

#[tokio::test]
async fn a_hold_is_not_closed_below_what_is_captured() {
    let channel = Channel::open().await;
    channel.accept(300, 200).await;
    channel.world.settled(&channel.close(300)).await;
    channel.refuse(&channel.close(200), "release").await;
}

#[tokio::test]
async fn a_voucher_outlives_a_crash_and_is_captured_before_the_deadline() {
    let channel = Channel::open().await;
    channel.accept(300, 200).await;
    let mut channel = channel;
    channel.world.crash().await;
    channel.world.restart(Options::default()).await;
    channel.refuse(&channel.voucher(300), "voucher_repeated").await;
    channel.accept(400, 100).await;
    assert_eq!(channel.world.received(), 0);
    // 600 seconds to the deadline, the margin is 60.
    channel.world.cluster.pass_seconds(541);
    let paid = |payment: &Value| payment["captured"] == "400";
    channel.world.until(channel.id, paid).await;
    assert_eq!(channel.balances(), (FUNDS - 400, HOLD - 400, 400));
    // After the deadline the rest goes back.
    channel.world.cluster.state().level = Commitment::Finalized;
    let is_final = |payment: &Value| payment["operations"][1]["status"] == "finalized";
    channel.world.until(channel.id, is_final).await;
    channel.world.cluster.pass_seconds(120);
    channel.world.until(channel.id, |payment| payment["state"] == "ended").await;
    assert_eq!(channel.balances(), (FUNDS - 400, 0, 400));
}

#[tokio::test]
async fn a_hold_near_its_deadline_takes_no_vouchers() {
    let world = World::new().await;
    let now = world.cluster.now();
    let soon = with_extra(terms(&world), |extra| extra.capture_deadline = now + 59);
    let answer = world.settle(&opening(&world, &soon, 1, PRICE)).await;
    assert_eq!(answer["errorReason"], "invalid_auth_capture_svm_voucher_too_late", "{answer}");
    // Time enough to open it, also on a busy machine.
    let deadline = unix_now() + 60 + 25;
    let terms = with_extra(terms(&world), |extra| extra.capture_deadline = deadline);
    let body = opening(&world, &terms, 1, PRICE);
    world.settled(&body).await;
    let channel = Channel { id: world.payment_id(&body), world, terms };
    wait::until("the margin to begin", async || unix_now() > deadline - 60).await;
    channel.refuse(&channel.voucher(200), "voucher_too_late").await;
}

#[tokio::test]
async fn the_last_voucher_of_a_hold_that_is_taken_up_again_is_captured_in_time() {
    let world = World::new().await;
    let fork = world.cluster.state().clone();
    let terms = terms(&world);
    let body = opening(&world, &terms, 1, PRICE);
    world.settled(&body).await;
    let id = world.payment_id(&body);
    let channel = Channel { world, terms, id };
    channel.accept(3 * PRICE, 2 * PRICE).await;

    let world = channel.world;
    world.cluster.state().loses_transactions = true;
    world.cluster.drop_blocks_since(fork);
    world.until(id, |payment| payment["state"] == "unsettled").await;
    world.cluster.state().level = Commitment::Finalized;
    world.cluster.state().next_error = Some(TransactionError::AccountInUse);
    world.cluster.state().loses_transactions = false;
    world.until(id, |payment| payment["state"] == "failed").await;
    world.cluster.state().svm.expire_blockhash();
    world.settled(&body).await;
    // 600 seconds to the deadline, the margin is 60.
    world.cluster.pass_seconds(541);
    world.until(id, |payment| payment["captured"] == "300").await;
    assert_eq!(world.received(), 3 * PRICE);
}
