//! What a merchant sets up, and what is wrong with it.

use axum::http::StatusCode;
use serde_json::json;
use x402_escrow_merchant::{Merchant, MerchantConfig, Price, PriceError};
use x402_escrow_wire::text::Base58;

use crate::{
    client::Ask,
    facilitator::{Answer::Endless, MINT, YES},
    shop::{PRICE, Shop, router},
};

#[tokio::test]
async fn a_wrong_setting_is_told_before_anything_is_sold() {
    let shop = Shop::open().await;
    let config = || MerchantConfig { state_folder: shop.file("more"), ..shop.config() };
    for (config, told) in [
        (
            MerchantConfig { capture_window_seconds: 0, ..config() },
            "capture_window_seconds: must be 1 to 2592000",
        ),
        (
            MerchantConfig { capture_window_seconds: 30 * 86_400 + 1, ..config() },
            "capture_window_seconds: must be 1 to 2592000",
        ),
        (MerchantConfig { maximum_timeout_seconds: 0, ..config() }, "maximum_timeout_seconds: must be"),
        (MerchantConfig { stream_idle_seconds: 0, ..config() }, "stream_idle_seconds: must be"),
        (MerchantConfig { maximum_body_bytes: 0, ..config() }, "maximum_body_bytes: must be"),
        (MerchantConfig { public_url: "shop.test".into(), ..config() }, "public_url: \"shop.test\""),
        (
            MerchantConfig { facilitator: "ftp://a.test".into(), ..config() },
            "facilitator: \"ftp://a.test\" must",
        ),
        (MerchantConfig { decimals: Some(9), ..config() }, "decimals: are 9, and the facilitator says 6"),
    ] {
        let error = Merchant::connect(config).await.err().unwrap().to_string();
        assert!(error.starts_with(told), "{error}");
        assert!(!shop.file("more").exists(), "{error}");
    }
}

#[tokio::test]
async fn a_receiver_that_cannot_be_paid_is_told_before_anything_is_sold() {
    let shop = Shop::open().await;
    let connect = async || {
        let config = MerchantConfig { state_folder: shop.file("more"), ..shop.config() };
        Merchant::connect(config).await.map(drop).map_err(|error| error.to_string())
    };
    let token_account = Base58([9; 32]);
    let report = |can_receive: bool, decimals: u8| json!({ "tokenAccount": token_account, "canReceive": can_receive, "decimals": decimals, "rentLamports": "2039280" });
    shop.facilitator.say_of_receivers(StatusCode::OK, report(false, 6));
    let error = connect().await.unwrap_err();
    let (receiver, mint) = (Shop::key(), MINT);
    for part in [
        format!("pay_to: {receiver} has no token account for {mint}"),
        token_account.to_string(),
        "0.00203928 SOL".to_owned(),
        format!("spl-token create-account {mint} --owner {receiver}"),
    ] {
        assert!(error.contains(&part), "{error}");
    }
    shop.facilitator.say_of_receivers(StatusCode::UNPROCESSABLE_ENTITY, json!({}));
    assert!(connect().await.unwrap_err().starts_with("asset: "));
    for (status, body) in [
        (StatusCode::OK, report(true, 6)),
        (StatusCode::NOT_FOUND, json!({})),
        (StatusCode::SERVICE_UNAVAILABLE, json!({})),
    ] {
        shop.facilitator.say_of_receivers(status, body);
        connect().await.unwrap();
    }
}

#[tokio::test]
async fn prices_in_tokens_are_exact() {
    let shop = Shop::open().await;
    let config = MerchantConfig { state_folder: shop.file("more"), ..shop.config() };
    let merchant = Merchant::connect(config).await.unwrap();
    assert_eq!(merchant.tokens("0.25"), Ok(250_000));
    assert!(matches!(merchant.tokens("0.0000001"), Err(PriceError::Amount(_))));
    let error = merchant.tokens("$1").unwrap_err().to_string();
    assert_eq!(error, "\"$1\" is not an amount: write it as 1 or 1.50");
}

#[tokio::test]
async fn a_token_that_the_facilitator_does_not_list_has_its_mints_decimals() {
    let shop = Shop::open().await;
    let asset = Base58([8; 32]);
    let config = MerchantConfig { state_folder: shop.file("more"), asset, ..shop.config() };
    let report =
        json!({ "tokenAccount": Base58([9; 32]), "canReceive": true, "decimals": 4, "rentLamports": "1" });
    shop.facilitator.say_of_receivers(StatusCode::OK, report);
    assert_eq!(Merchant::connect(config).await.unwrap().tokens("0.25"), Ok(2_500));
}

#[tokio::test]
#[should_panic(expected = "the price is 0")]
async fn a_price_of_nothing_is_a_mistake() {
    let shop = Shop::open().await;
    let config = MerchantConfig { state_folder: shop.file("more"), ..shop.config() };
    _ = Merchant::connect(config).await.unwrap().price(Price::new(0));
}

#[tokio::test]
async fn a_public_url_that_clients_write_in_another_way_sells_all_the_same() {
    let mut shop = Shop::open().await;
    let mut config = MerchantConfig { state_folder: shop.file("more"), ..shop.config() };
    config.public_url = "HTTPS://Shop.TEST:443/".into();
    shop.router = router(&Merchant::connect(config).await.unwrap(), shop.work.clone());
    let challenge = shop.send(&Ask::get("/plain"), None).await.challenge().unwrap();
    assert_eq!(challenge.resource.url, "https://shop.test/plain");
    assert_eq!(shop.buy(&Ask::get("/stream"), 1).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_none() {
    let shop = Shop::open().await;
    shop.facilitator.answer_payments(Endless);
    let ask = Ask::get("/plain");
    let payment = shop.payment(&ask, 1).await;
    let answer = shop.pay(&ask, &payment).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    shop.facilitator.answer_payments(YES);
    assert_eq!(shop.pay(&ask, &payment).await.status, StatusCode::OK);
    assert_eq!((shop.work.runs(), shop.facilitator.captured()), (1, vec![PRICE]));
}
