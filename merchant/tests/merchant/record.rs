//! What is on disk, and what it is good for after a crash and among several instances.

use std::{fs, time::Duration};

use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::time::sleep;
use x402_escrow_merchant::{Merchant, MerchantConfig};
use x402_escrow_wire::{clock::unix_now, payment::PaymentPayload};

use crate::{
    client::{Ask, sign_until},
    facilitator::{
        Answer::{Broken, Lost, No, Yes},
        YES,
    },
    identified::{ID, named},
    shop::{PRICE, RECORD, Shop, Work, router},
};

const USED: (u16, &str) = (402, "duplicate_settlement");

fn seconds_from_now(seconds: i64) -> i64 {
    unix_now() + seconds
}

impl Shop {
    /// The lines of the record about holds, in the order in which they were written.
    fn record(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.file(RECORD)).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["claim"].as_str().map(str::len), Some(32));
        lines[1..].to_vec()
    }

    fn states(&self) -> Vec<String> {
        self.record().iter().map(|line| line["state"].as_str().unwrap_or("-").to_owned()).collect()
    }

    /// Another instance of the same merchant, with a record of its own.
    async fn instance(&self) -> Shop {
        let config = MerchantConfig { state_folder: self.file("other"), ..self.config() };
        self.at(&Merchant::connect(config).await.unwrap())
    }
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_the_record() {
    use std::os::unix::fs::PermissionsExt;
    let shop = Shop::open().await;
    assert_eq!(shop.buy(&Ask::get("/plain"), 1).await.status, StatusCode::OK);
    let mode = |name| fs::metadata(shop.file(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!([mode("state"), mode(RECORD), mode("state/lock")], [0o700, 0o600, 0o600]);
}

#[tokio::test]
async fn while_the_handler_runs_nothing_is_signed_and_what_it_serves_is_on_disk() {
    let shop = Shop::open().await;
    let ask = Ask::get("/wait");
    let payment = shop.payment(&ask, 1).await;
    let looked = async {
        shop.work.wait_for_runs(1).await;
        let record = shop.record();
        assert_eq!(record[0]["state"], "serving");
        assert!(record.iter().all(|line| line.get("payload").is_none()), "{record:?}");
        shop.work.go_on.notify_one();
    };
    let (answer, ()) = tokio::join!(shop.pay(&ask, &payment), looked);
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(shop.states(), ["serving", "capturing"]);
    assert_eq!(shop.record()[1]["payload"]["amount"], PRICE.to_string());
}

#[tokio::test]
async fn a_signed_capture_is_kept_until_it_is_final() {
    let shop = Shop::open().await;
    // A verifier that says yes, loses its disk, and no longer knows what it said yes to.
    shop.facilitator.answer_ends(Yes { status: "unsettled" });
    assert_eq!(shop.buy(&Ask::get("/plain"), 1).await.status, StatusCode::OK);
    shop.facilitator.answer_ends(No("invalid_auth_capture_svm_payment_not_found"));
    let asked = shop.facilitator.asked().len();
    shop.until("it is settled again", || shop.facilitator.asked().len() > asked).await;
    assert_eq!(shop.states(), ["serving", "capturing"]);
    shop.facilitator.answer_ends(Yes { status: "finalized" });
    shop.until("it is final", || shop.states() == ["serving", "capturing", "captured"]).await;
    let asked = shop.facilitator.asked().len();
    sleep(Duration::from_secs(2)).await;
    assert_eq!(shop.facilitator.asked().len(), asked, "nothing is left to do");
}

#[tokio::test]
async fn a_hold_without_a_verdict_is_released_once_nobody_can_make_it_any_more() {
    let mut shop = Shop::open().await;
    shop.facilitator.answer_payments(Broken(StatusCode::BAD_GATEWAY));
    let ask = Ask::get("/plain");
    let mut payments: Vec<PaymentPayload> = Vec::new();
    for (nonce, left) in [(1, -29), (2, 600)] {
        let mut payment = shop.payment(&ask, nonce).await;
        sign_until(&mut payment, nonce, seconds_from_now(left));
        assert_eq!(shop.pay(&ask, &payment).await.status, StatusCode::SERVICE_UNAVAILABLE);
        payments.push(payment);
    }
    shop.facilitator.answer_payments(YES);
    // The one that can still be held may still buy something; both outlive a crash.
    shop.restart().await;
    assert_eq!(shop.captured(1).await, [0]);
    assert_eq!(shop.pay(&ask, &payments[0]).await.refusal(), (USED.0, USED.1.into()));
    assert_eq!(shop.pay(&ask, &payments[1]).await.status, StatusCode::OK);
    assert_eq!((shop.work.runs(), shop.facilitator.captured()), (1, vec![0, PRICE]));
}

/// Pays, so late that nobody can make the hold any more soon, and the facilitator's yes gets lost.
async fn pay_and_lose_the_answer(shop: &Shop, ask: &Ask) {
    shop.facilitator.answer_payments(Broken(StatusCode::BAD_GATEWAY));
    let mut payment = shop.payment(ask, 1).await;
    sign_until(&mut payment, 1, seconds_from_now(-29));
    assert_eq!(shop.pay(ask, &named(payment, ID)).await.status, StatusCode::SERVICE_UNAVAILABLE);
    shop.facilitator.answer_payments(YES);
}

#[tokio::test]
async fn a_hold_without_a_verdict_is_released_where_purchases_must_have_ids() {
    let shop = Shop::open().await;
    pay_and_lose_the_answer(&shop, &Ask::get("/must-be-named")).await;
    assert_eq!(shop.captured(1).await, [0]);
}

#[tokio::test]
async fn a_hold_without_a_verdict_is_released_though_the_fee_payer_is_another_by_then() {
    let shop = Shop::open().await;
    pay_and_lose_the_answer(&shop, &Ask::get("/plain")).await;
    shop.facilitator.rotate_fee_payer(Shop::key());
    assert_eq!(shop.captured(1).await, [0]);
}

#[tokio::test]
async fn of_several_instances_one_serves_a_payment() {
    let shop = Shop::open().await;
    let other = shop.instance().await;
    let ask = Ask::get("/plain");
    let payment = shop.payment(&ask, 1).await;
    assert_eq!(shop.pay(&ask, &payment).await.status, StatusCode::OK);
    assert_eq!(other.pay(&ask, &payment).await.refusal(), (USED.0, USED.1.into()));

    // The first got no answer; it is its payment all the same.
    let payment = shop.payment(&ask, 2).await;
    shop.facilitator.answer_payments(Broken(StatusCode::BAD_GATEWAY));
    assert_eq!(shop.pay(&ask, &payment).await.status, StatusCode::SERVICE_UNAVAILABLE);
    shop.facilitator.answer_payments(YES);
    assert_eq!(other.pay(&ask, &payment).await.refusal(), (USED.0, USED.1.into()));
    assert_eq!(shop.pay(&ask, &payment).await.status, StatusCode::OK);
    assert_eq!((shop.work.runs(), shop.facilitator.captured()), (2, vec![PRICE, PRICE]));
}

#[tokio::test]
async fn an_instance_without_a_verdict_releases_nothing_that_another_serves() {
    let shop = Shop::open().await;
    let other = shop.instance().await;
    let ask = Ask::get("/wait");
    let mut payment = shop.payment(&ask, 1).await;
    sign_until(&mut payment, 1, seconds_from_now(-29));
    // While the other serves it, the first gets no verdict, and asks once nobody can make the hold any more.
    let asked = async {
        shop.work.wait_for_runs(1).await;
        shop.facilitator.answer_payments(Lost);
        assert_eq!(shop.pay(&ask, &payment).await.status, StatusCode::SERVICE_UNAVAILABLE);
        shop.facilitator.answer_payments(YES);
        shop.until("the first knows", || shop.states() == ["unknown", "offered"]).await;
        shop.work.go_on.notify_one();
    };
    let (answer, ()) = tokio::join!(other.pay(&ask, &payment), asked);
    assert_eq!((answer.status, shop.captured(1).await), (StatusCode::OK, vec![PRICE]));
    assert_eq!(shop.states(), ["unknown", "offered"]);
}

#[tokio::test]
async fn two_merchants_cannot_share_a_folder_and_a_damaged_record_stops_the_start() {
    let shop = Shop::open().await;
    let error = Merchant::connect(shop.config()).await.err().unwrap().to_string();
    assert!(error.contains("another merchant uses it"), "{error}");

    let folder = shop.file("damaged");
    fs::create_dir(&folder).unwrap();
    let damaged = "{\"claim\":\"00000000000000000000000000000000\"}\n{\"hold\":\n{}\n";
    fs::write(folder.join("purchases.jsonl"), damaged).unwrap();
    let config = MerchantConfig { state_folder: folder.clone(), ..shop.config() };
    let error = Merchant::connect(config).await.err().unwrap().to_string();
    assert!(error.contains("line 2"), "{error}");
    assert_eq!(fs::read_to_string(folder.join("purchases.jsonl")).unwrap(), damaged);
}

#[tokio::test]
async fn a_new_fee_payer_is_in_the_terms_soon_after_the_old_one_is_refused() {
    let shop = Shop::open().await;
    let ask = Ask::get("/plain");
    let old = shop.payment(&ask, 1).await;
    let key = Shop::key();
    shop.facilitator.rotate_fee_payer(key);
    assert_eq!(shop.pay(&ask, &old).await.refusal(), (402, "invalid_auth_capture_svm_extra".into()));
    // By itself it would ask only a minute later.
    for _ in 0..1500 {
        let terms = shop.send(&ask, None).await.challenge().unwrap().accepts[0].clone();
        if terms["extra"]["feePayer"] == json!(key) {
            assert_eq!(shop.buy(&ask, 2).await.status, StatusCode::OK);
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("still the old fee payer");
}

impl Shop {
    /// The same shop, behind another merchant.
    fn at(&self, merchant: &Merchant) -> Shop {
        let work: Work = self.work.clone();
        let folder = tempfile::tempdir().unwrap();
        let (facilitator, router) = (self.facilitator.clone(), router(merchant, work.clone()));
        Shop { facilitator, router, work, folder, idle_seconds: self.idle_seconds }
    }
}
