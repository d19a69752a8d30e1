//! Many requests out of one hold.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde_json::json;
use x402_escrow_merchant::{Merchant, MerchantConfig};
use x402_escrow_wire::{
    auth_capture::{CaptureAuthorizer, Extra, LifecyclePayload, stream_resource_hash},
    payment::PaymentPayload,
    text::{Decimal, Hex32},
};

use crate::{
    client::{Answer, Ask, voucher},
    facilitator::{Answer as Verdict, YES},
    shop::{HOLD, PRICE, PUBLIC_URL, Shop, router},
};

const REPEATED: &str = "invalid_auth_capture_svm_voucher_repeated";

/// A shop, and a hold that one request opened.
struct Channel {
    shop: Shop,
    opening: PaymentPayload,
    id: Hex32,
}

impl Channel {
    async fn open() -> Self {
        let shop = Shop::open().await;
        let opening = shop.payment(&Ask::get("/stream"), 1).await;
        let answer = shop.pay(&Ask::get("/stream"), &opening).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.settlement());
        let id = serde_json::from_value(opening.payload["voucher"]["paymentId"].clone()).unwrap();
        Self { shop, opening, id }
    }

    /// Asks for `path` with a voucher over `amount`.
    async fn ask(&self, path: &str, amount: u64) -> Answer {
        let payment = PaymentPayload { payload: json!(voucher(self.id, amount)), ..self.opening.clone() };
        self.shop.pay(&Ask::get(path), &payment).await
    }
}

#[tokio::test]
async fn the_challenge_says_how_to_stream() {
    let shop = Shop::open().await;
    let challenge = shop.send(&Ask::get("/stream"), None).await.challenge().unwrap();
    let requirements: x402_escrow_wire::payment::PaymentRequirements =
        serde_json::from_value(challenge.accepts[0].clone()).unwrap();
    let extra = Extra::read(&requirements).unwrap();
    assert_eq!(requirements.amount, Decimal(HOLD));
    assert_eq!(extra.capture_authorizer, CaptureAuthorizer::SessionKey);
    assert_eq!((extra.request_price, extra.receiver_authorizer), (Some(Decimal(PRICE)), Shop::key()));
    assert_eq!(extra.resource_hash, Hex32(stream_resource_hash(PUBLIC_URL)));
    assert_eq!(extra.refund_deadline, extra.capture_deadline + 600);
}

#[tokio::test]
async fn each_voucher_buys_one_request_and_an_idle_hold_is_closed_at_the_last() {
    let mut channel = Channel::open().await;
    for request in 2..=5 {
        let answer = channel.ask("/stream", request * PRICE).await;
        assert_eq!(
            (answer.status, answer.settlement().unwrap().amount),
            (StatusCode::OK, Some(Decimal(PRICE)))
        );
        assert_eq!(answer.header("cache-control"), "private");
    }
    assert_eq!(channel.shop.work.runs(), 5);
    assert_eq!(channel.shop.facilitator.captured(), [0; 0], "nothing is captured while the stream goes on");
    channel.shop.close_idle_streams().await;
    assert_eq!(channel.shop.captured(1).await, [5 * PRICE]);
    assert!(matches!(channel.shop.facilitator.ended()[0].1, LifecyclePayload::Close { .. }));
}

#[tokio::test]
async fn a_replayed_voucher_buys_nothing() {
    let channel = Channel::open().await;
    assert_eq!(channel.ask("/stream", PRICE).await.refusal(), (402, REPEATED.into()));
    assert_eq!(channel.ask("/stream", 2 * PRICE).await.status, StatusCode::OK);
    assert_eq!(channel.ask("/stream", 2 * PRICE).await.refusal(), (402, REPEATED.into()));
    let again = channel.shop.pay(&Ask::get("/stream"), &channel.opening).await;
    assert_eq!(again.refusal(), (402, "duplicate_settlement".into()));
    assert_eq!(channel.shop.work.runs(), 2);
}

#[tokio::test]
async fn a_voucher_below_the_price_buys_nothing() {
    let channel = Channel::open().await;
    let answer = channel.ask("/stream", 2 * PRICE - 1).await;
    assert_eq!(answer.refusal(), (402, "invalid_auth_capture_svm_voucher_below_price".into()));
    assert_eq!(channel.shop.work.runs(), 1);
}

#[tokio::test]
async fn a_voucher_that_was_not_served_buys_another_request_once() {
    for path in ["/stream/broken", "/stream/panic"] {
        let channel = Channel::open().await;
        assert_eq!(channel.ask(path, 2 * PRICE).await.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(channel.ask("/stream", 2 * PRICE).await.status, StatusCode::OK, "{path}");
        assert_eq!(channel.ask("/stream", 2 * PRICE).await.refusal(), (402, REPEATED.into()));
        assert_eq!(channel.shop.work.runs(), 2);
    }
}

#[tokio::test]
async fn a_voucher_buys_nothing_while_its_request_is_being_served() {
    let channel = Channel::open().await;
    let served = channel.ask("/stream/wait", 2 * PRICE);
    let replayed = async {
        while channel.shop.work.runs() < 2 {
            tokio::task::yield_now().await;
        }
        let answer = channel.ask("/stream", 2 * PRICE).await;
        channel.shop.work.go_on.notify_one();
        answer
    };
    let (served, replayed) = tokio::join!(served, replayed);
    assert_eq!((served.status, replayed.refusal()), (StatusCode::OK, (402, REPEATED.into())));
    assert_eq!(channel.shop.work.runs(), 2);
}

#[tokio::test]
async fn no_verdict_serves_nothing_and_the_voucher_can_be_sent_again() {
    let channel = Channel::open().await;
    channel.shop.facilitator.answer_payments(Verdict::Broken(StatusCode::BAD_GATEWAY));
    assert_eq!(channel.ask("/stream", 2 * PRICE).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(channel.shop.work.runs(), 1);
    channel.shop.facilitator.answer_payments(YES);
    // The facilitator had kept it: a repetition to it, but nothing was served for it.
    assert_eq!(channel.ask("/stream", 2 * PRICE).await.status, StatusCode::OK);
    assert_eq!(channel.ask("/stream", 2 * PRICE).await.refusal(), (402, REPEATED.into()));
}

#[tokio::test]
async fn a_repeat_without_a_verdict_makes_no_served_voucher_buy_again() {
    for status in [400, 413, 429, 500, 503].map(|code| StatusCode::from_u16(code).unwrap()) {
        let channel = Channel::open().await;
        assert_eq!(channel.ask("/stream", 2 * PRICE).await.status, StatusCode::OK);
        for _ in 0..3 {
            channel.shop.facilitator.answer_payments(Verdict::Broken(status));
            assert_ne!(channel.ask("/stream", 2 * PRICE).await.status, StatusCode::OK, "{status}");
            channel.shop.facilitator.answer_payments(YES);
            assert_eq!(channel.ask("/stream", 2 * PRICE).await.refusal(), (402, REPEATED.into()), "{status}");
        }
        assert_eq!(channel.shop.work.runs(), 2, "{status}");
    }
}

#[tokio::test]
async fn a_repeat_without_a_verdict_during_the_serving_makes_no_voucher_buy_again() {
    let channel = Channel::open().await;
    let served = channel.ask("/stream/wait", 2 * PRICE);
    let replayed = async {
        while channel.shop.work.runs() < 2 {
            tokio::task::yield_now().await;
        }
        channel.shop.facilitator.answer_payments(Verdict::Broken(StatusCode::BAD_REQUEST));
        assert_ne!(channel.ask("/stream", 2 * PRICE).await.status, StatusCode::OK);
        channel.shop.facilitator.answer_payments(YES);
        let answer = channel.ask("/stream", 2 * PRICE).await;
        channel.shop.work.go_on.notify_one();
        answer
    };
    let (served, replayed) = tokio::join!(served, replayed);
    assert_eq!((served.status, replayed.refusal()), (StatusCode::OK, (402, REPEATED.into())));
    assert_eq!(channel.shop.work.runs(), 2);
}

#[tokio::test]
async fn a_voucher_is_nothing_to_a_route_that_is_not_streamed() {
    let channel = Channel::open().await;
    assert_eq!(
        channel.ask("/plain", 2 * PRICE).await.refusal(),
        (402, "invalid_payment_requirements".into())
    );
    let plain = channel.shop.payment(&Ask::get("/plain"), 2).await;
    let payment = PaymentPayload { payload: json!(voucher(channel.id, 2 * PRICE)), ..plain };
    let answer = channel.shop.pay(&Ask::get("/plain"), &payment).await;
    assert_eq!(answer.refusal(), (402, "invalid_payload".into()));
    assert_eq!(channel.shop.work.runs(), 1);
}

#[tokio::test]
async fn a_hold_on_other_terms_or_without_a_voucher_is_not_opened() {
    let shop = Shop::open().await;
    let opening = shop.payment(&Ask::get("/stream"), 1).await;
    let mut without = opening.clone();
    without.payload.as_object_mut().unwrap().remove("voucher");
    assert_eq!(shop.pay(&Ask::get("/stream"), &without).await.refusal(), (402, "invalid_payload".into()));
    let mut cheaper = opening.clone();
    cheaper.accepted.extra["requestPrice"] = json!("1");
    assert_eq!(
        shop.pay(&Ask::get("/stream"), &cheaper).await.refusal(),
        (402, "invalid_payment_requirements".into())
    );
    assert_eq!(shop.work.runs(), 0);
}

#[tokio::test]
async fn a_merchant_that_started_again_goes_on_with_an_open_hold() {
    let mut channel = Channel::open().await;
    channel.shop.restart().await;
    assert_eq!(channel.ask("/stream", PRICE).await.refusal(), (402, REPEATED.into()));
    assert_eq!(channel.ask("/stream", 2 * PRICE).await.status, StatusCode::OK);
    channel.shop.restart().await;
    assert_eq!(channel.ask("/stream", 2 * PRICE).await.refusal(), (402, REPEATED.into()));
    channel.shop.close_idle_streams().await;
    assert_eq!(channel.shop.captured(1).await, [2 * PRICE]);
}

#[tokio::test]
async fn a_voucher_whose_request_a_crash_broke_off_pays_for_another() {
    let mut channel = Channel::open().await;
    tokio::select! {
        _ = channel.ask("/stream/wait", 2 * PRICE) => panic!("answered too early"),
        () = channel.shop.work.wait_for_runs(2) => {}
    }
    channel.shop.restart().await;
    assert_eq!(channel.ask("/stream", 2 * PRICE).await.status, StatusCode::OK);
    assert_eq!(channel.ask("/stream", 2 * PRICE).await.refusal(), (402, REPEATED.into()));
}

/// How often the merchant tried to close a hold.
fn closes(shop: &Shop) -> usize {
    shop.facilitator.asked().iter().filter(|asked| asked[0]["type"] == "close").count()
}

#[tokio::test]
async fn a_hold_takes_no_voucher_once_its_release_may_be_signed() {
    let mut channel = Channel::open().await;
    for answer in [Verdict::Broken(StatusCode::BAD_GATEWAY), Verdict::No("settlement_pending")] {
        channel.shop.facilitator.answer_ends(answer);
        let since = Instant::now();
        channel.shop.close_idle_streams().await;
        channel.shop.until("it tries to close the hold", || closes(&channel.shop) > 0).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let closes = closes(&channel.shop);
        // After a pause of five seconds, and then of ten.
        let most = 2 + since.elapsed().as_secs() / 5;
        assert!(closes as u64 <= most, "{closes} tries to close it, {most} at most");
        for again in [false, true] {
            if again {
                channel.shop.restart().await;
            }
            let answer = channel.ask("/stream", 2 * PRICE).await;
            assert_eq!(answer.refusal(), (402, "invalid_auth_capture_svm_voucher_hold_closed".into()));
        }
        let asked = channel.shop.facilitator.asked();
        assert!(asked.iter().all(|asked| asked[0]["amount"] != json!(Decimal(2 * PRICE))), "{asked:?}");
        channel = Channel::open().await;
    }
}

#[tokio::test]
async fn of_several_instances_none_releases_what_another_may_have_sold() {
    let channel = Channel::open().await;
    let folder = channel.shop.file("other");
    let config = MerchantConfig { closes_streams: false, state_folder: folder, ..channel.shop.config() };
    let other = Merchant::connect(config).await.unwrap();
    let shop = Shop { router: router(&other, channel.shop.work.clone()), ..channel.shop };
    let channel = Channel { shop, ..channel };
    assert_eq!(channel.ask("/stream", PRICE).await.refusal(), (402, REPEATED.into()));
    assert_eq!(channel.ask("/stream", 2 * PRICE).await.status, StatusCode::OK);
    assert_eq!(other.close_streams().await, 1);
    assert!(channel.shop.facilitator.ended().is_empty());
}
