//! `/settle` of vouchers: many requests out of one hold.

use std::{collections::HashSet, time::Duration};

use ed25519_dalek::Signer;
use serde_json::{Value, json};
use x402_escrow_wire::{
    auth_capture::{
        CaptureAuthorizer, Commitment, Extra, LifecyclePayload, VoucherPayload, stream_resource_hash,
    },
    payment::PaymentRequirements,
    text::{Base58, Decimal, Hex32},
};

use crate::world::{FUNDS, MERCHANT, Options, SESSION, World, envelope, signing_key};

pub(crate) const PRICE: u64 = 100;
const HOLD: u64 = 1000;

/// What a merchant asks for: `PRICE` a request, out of a hold of `HOLD`.
fn terms(world: &World) -> PaymentRequirements {
    with_extra(world.requirements(HOLD), |extra| {
        extra.capture_authorizer = CaptureAuthorizer::SessionKey;
        extra.request_price = Some(Decimal(PRICE));
        extra.resource_hash = Hex32(stream_resource_hash("https://shop.test"));
    })
}

fn with_extra(mut terms: PaymentRequirements, alter: impl FnOnce(&mut Extra)) -> PaymentRequirements {
    let mut extra = Extra::read(&terms).unwrap();
    alter(&mut extra);
    terms.extra = extra.to_map();
    terms
}

fn signed(payment_id: Hex32, amount: u64, fee: u64, seed: u8) -> VoucherPayload {
    let mut voucher =
        VoucherPayload { payment_id, amount: Decimal(amount), fee: Decimal(fee), signature: Base58([0; 64]) };
    voucher.signature = Base58(signing_key(seed).sign(&voucher.signed_bytes()).to_bytes());
    voucher
}

/// An open hold, and what its requirements were.
pub(crate) struct Channel {
    pub(crate) world: World,
    terms: PaymentRequirements,
    id: Hex32,
}

impl Channel {
    /// A hold whose opening paid for one request.
    pub(crate) async fn open() -> Self {
        let world = World::new().await;
        let terms = terms(&world);
        let body = opening(&world, &terms, 1, PRICE);
        let answer = world.settled(&body).await;
        assert_eq!(answer["extra"]["alreadySettled"], false, "{answer}");
        let id = world.payment_id(&body);
        Self { world, terms, id }
    }

    pub(crate) fn voucher(&self, amount: u64) -> Value {
        envelope(&self.terms, json!(signed(self.id, amount, 0, SESSION)))
    }

    pub(crate) async fn accept(&self, amount: u64, increment: u64) {
        let answer = self.world.settle(&self.voucher(amount)).await;
        assert_eq!(
            (&answer["success"], &answer["amount"]),
            (&json!(true), &json!(increment.to_string())),
            "{answer}"
        );
        assert_eq!(answer["extra"]["vouched"], amount.to_string());
    }

    /// Asserts a no with `code` from `/verify` and `/settle`, and that the last voucher stays as it is.
    pub(crate) async fn refuse(&self, body: &Value, code: &str) {
        let code = format!("invalid_auth_capture_svm_{code}");
        let before = (self.world.everything().await, self.vouched().await);
        let (_, answer) = self.world.post("/verify", body).await;
        assert_eq!((&answer["isValid"], &answer["invalidReason"]), (&json!(false), &json!(code)), "{answer}");
        let answer = self.world.settle(body).await;
        assert_eq!((&answer["success"], &answer["errorReason"]), (&json!(false), &json!(code)), "{answer}");
        assert_eq!((self.world.everything().await, self.vouched().await), before);
    }

    pub(crate) async fn vouched(&self) -> Value {
        self.world.payment(self.id).await["vouched"].clone()
    }

    pub(crate) fn close(&self, amount: u64) -> Value {
        self.world.lifecycle(LifecyclePayload::Close {
            payment_id: self.id,
            amount: Decimal(amount),
            signature: Base58([0; 64]),
        })
    }

    fn balances(&self) -> (u64, u64, u64) {
        let escrow = self.world.escrow_account();
        (escrow.balance, escrow.held, self.world.received())
    }
}

fn opening(world: &World, terms: &PaymentRequirements, nonce: u64, amount: u64) -> Value {
    let mut payload = world.payload(terms, nonce);
    let id = world.payment_id(&envelope(terms, json!(payload)));
    payload.voucher = Some(signed(id, amount, 0, SESSION));
    envelope(terms, json!(payload))
}

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

#[tokio::test]
async fn a_merchant_can_not_release_what_a_voucher_has_bought() {
    let channel = Channel::open().await;
    channel.accept(300, 200).await;
    channel.refuse(&channel.world.void(channel.id, 0), "release").await;
    channel.refuse(&channel.world.void(channel.id, 299), "release").await;
    channel.refuse(&channel.close(200), "release").await;
    channel.refuse(&channel.close(400), "release").await;
    // What no voucher has bought yet can go back while the stream goes on.
    channel.world.settled(&channel.world.void(channel.id, 400)).await;
    channel.refuse(&channel.voucher(500), "voucher_above_hold").await;
    channel.accept(400, 100).await;
    channel.world.settled(&channel.close(400)).await;
    assert_eq!(channel.balances(), (FUNDS - 400, 0, 400));
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
    let terms = with_extra(terms(&world), |extra| extra.capture_deadline = now + 62);
    let body = opening(&world, &terms, 1, PRICE);
    world.settled(&body).await;
    let channel = Channel { id: world.payment_id(&body), world, terms };
    tokio::time::sleep(Duration::from_secs(4)).await;
    channel.refuse(&channel.voucher(200), "voucher_too_late").await;
}
