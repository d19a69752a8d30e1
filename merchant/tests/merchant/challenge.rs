use axum::http::{Method, StatusCode};
use serde_json::json;
use x402_escrow_interface::resource::resource_hash;
use x402_escrow_merchant::{Merchant, MerchantConfig};
use x402_escrow_wire::{
    auth_capture::{CaptureAuthorizer, Extra, Level},
    payment::{PaymentRequired, PaymentRequirements},
    text::{Decimal, Hex32},
};

use crate::{
    client::Ask,
    facilitator::{MINT, NETWORK, PROGRAM},
    shop::{PRICE, PUBLIC_URL, Shop, router},
};

fn offer(challenge: &PaymentRequired) -> (PaymentRequirements, Extra) {
    let offer: PaymentRequirements = serde_json::from_value(challenge.accepts[0].clone()).unwrap();
    let extra = Extra::read(&offer).unwrap();
    (offer, extra)
}

#[tokio::test]
async fn an_unpaid_request_is_answered_with_the_terms() {
    let shop = Shop::open().await;
    let answer = shop.send(&Ask::get("/plain?a=b%20c"), None).await;
    assert_eq!(answer.status, StatusCode::PAYMENT_REQUIRED);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.settlement().is_none());

    let challenge = answer.challenge().unwrap();
    assert_eq!(answer.json(), json!(challenge), "the body says the same as the header");
    assert_eq!(challenge.x402_version, 2);
    assert_eq!(challenge.resource.url, format!("{PUBLIC_URL}/plain?a=b%20c"));
    assert_eq!(challenge.resource.description.as_deref(), Some("a test"));
    assert_eq!(challenge.accepts.len(), 1);
    let (offer, extra) = offer(&challenge);
    assert_eq!((offer.scheme.as_str(), offer.network.as_str()), ("auth-capture", NETWORK));
    assert_eq!((offer.amount, offer.asset, offer.pay_to), (Decimal(PRICE), MINT, Shop::key()));
    assert_eq!((extra.payment_flow.as_str(), extra.program), ("escrow", PROGRAM));
    assert_eq!(
        (extra.capture_authorizer, extra.receiver_authorizer),
        (CaptureAuthorizer::Key(Shop::key()), Shop::key())
    );
    assert_eq!(extra.commitment, None);
    let hash = resource_hash("GET", &challenge.resource.url, b"");
    assert_eq!(extra.resource_hash, Hex32(hash));
    assert_eq!(shop.facilitator.authorizations_asked(), 0);
    assert_eq!(shop.work.runs(), 0);
}

#[tokio::test]
async fn the_terms_are_for_this_method_url_and_body() {
    let shop = Shop::open().await;
    for (ask, expected) in [
        (Ask::post("/plain", "a"), resource_hash("POST", &format!("{PUBLIC_URL}/plain"), b"a")),
        (Ask::post("/plain", "b"), resource_hash("POST", &format!("{PUBLIC_URL}/plain"), b"b")),
        (Ask::get("/plain?"), resource_hash("GET", &format!("{PUBLIC_URL}/plain?"), b"")),
        (
            Ask { method: Method::PUT, ..Ask::get("/plain") },
            resource_hash("PUT", &format!("{PUBLIC_URL}/plain"), b""),
        ),
        // A nested router sees a shortened path; the client does not.
        (Ask::get("/a/b?c=d"), resource_hash("GET", &format!("{PUBLIC_URL}/a/b?c=d"), b"")),
    ] {
        let challenge = shop.send(&ask, None).await.challenge().unwrap();
        assert_eq!(offer(&challenge).1.resource_hash, Hex32(expected), "{ask:?}");
    }
}

#[tokio::test]
async fn the_finality_that_a_price_asks_is_in_the_terms() {
    let shop = Shop::open().await;
    let challenge = shop.send(&Ask::get("/final"), None).await.challenge().unwrap();
    assert_eq!(offer(&challenge).1.commitment, Some(Level::Finalized));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_answered_413() {
    let shop = Shop::open().await;
    let ask = Ask { method: Method::POST, body: vec![0; 64 * 1024 + 1].into(), ..Ask::get("/plain") };
    let answer = shop.send(&ask, None).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.json()["error"]["code"], "body_too_large");
    let fits = Ask { body: vec![0; 64 * 1024].into(), ..ask };
    assert_eq!(shop.send(&fits, None).await.status, StatusCode::PAYMENT_REQUIRED);
}

#[tokio::test]
async fn a_promise_of_refunds_can_be_as_long_as_the_merchant_likes() {
    let mut shop = Shop::open().await;
    let config = MerchantConfig { state_folder: shop.file("more"), ..shop.config() };
    let config = MerchantConfig { refund_window_seconds: u32::MAX, ..config };
    shop.router = router(&Merchant::connect(config).await.unwrap(), shop.work.clone());
    let challenge = shop.send(&Ask::get("/plain"), None).await.challenge().unwrap();
    let (_, extra) = offer(&challenge);
    assert_eq!(extra.refund_deadline, extra.capture_deadline + i64::from(u32::MAX));
}

#[tokio::test]
async fn a_merchant_whose_facilitator_names_no_program_does_not_start() {
    let shop = Shop::open().await;
    shop.facilitator.name_no_program();
    let config = MerchantConfig { state_folder: shop.file("more"), ..shop.config() };
    let error = Merchant::connect(config).await.err().unwrap().to_string();
    assert!(error.contains("doesn't name its program"), "{error}");
}
