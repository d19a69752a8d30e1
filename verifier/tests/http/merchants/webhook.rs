//! Webhooks that merchants register themselves.

use axum::http::{Method, StatusCode};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use solana_sdk::signer::Signer;
use std::sync::{Arc, Mutex};

use super::{ask, target};
use crate::{
    wait,
    world::{HOST, MERCHANT, World, keypair},
};

/// Whose key nobody ever named.
const STRANGER: u8 = 77;

/// A request about the merchant's webhook, signed now.
async fn webhook(world: &World, method: Method, query: &str) -> (StatusCode, Value) {
    let target = target(world, method.as_str(), HOST, &format!("/webhook{query}"), MERCHANT);
    let (status, _, body) = ask(world, method, &target).await;
    (status, serde_json::from_str(&body).unwrap())
}

/// What a merchant's server was told: headers that matter, and the body.
type Told = Arc<Mutex<Vec<(String, String, String, String)>>>;

/// A merchant's server, and its address.
async fn server() -> (String, Told) {
    let told = Told::default();
    let keep = Arc::clone(&told);
    let receive = move |headers: axum::http::HeaderMap, body: String| {
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        let news = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"), body);
        keep.lock().unwrap().push(news);
        std::future::ready(StatusCode::OK)
    };
    let router = axum::Router::new().route("/news", axum::routing::post(receive));
    let (url, _) = crate::world::listen(router).await;
    (url.replace("http://", "http%3A%2F%2F") + "%2Fnews", told)
}

#[tokio::test]
async fn a_merchant_is_told_at_the_webhook_that_it_registered_and_can_check_the_signature() {
    let world = World::new().await;
    let (url, told) = server().await;
    assert_eq!(webhook(&world, Method::GET, "").await.0, StatusCode::NOT_FOUND);
    let (status, set) = webhook(&world, Method::PUT, &format!("?url={url}")).await;
    assert_eq!(status, StatusCode::OK, "{set}");
    let secret = set["secret"].as_str().unwrap().strip_prefix("whsec_").unwrap();
    let secret = STANDARD.decode(secret).unwrap();
    let (_, shown) = webhook(&world, Method::GET, "").await;
    assert_eq!(shown, json!({ "url": set["url"] }), "the secret is told once");

    let id = world.authorize(1000, 1).await;
    world.settled(&world.capture(id, 1000, true)).await;
    wait::until("the merchant to be told that it is paid", async || {
        told.lock().unwrap().iter().any(|(.., body)| {
            let body: Value = serde_json::from_str(body).unwrap();
            body["data"]["paymentId"] == json!(id) && body["data"]["captured"] == "1000"
        })
    })
    .await;
    for (id, timestamp, signature, body) in told.lock().unwrap().iter() {
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        let signature = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
        mac.verify_slice(&signature).expect("the signature is right");
    }
}

#[tokio::test]
async fn a_webhook_that_was_taken_back_is_told_nothing_and_an_old_request_brings_it_not_back() {
    let world = World::new().await;
    let (url, told) = server().await;
    let old = target(&world, "PUT", HOST, &format!("/webhook?url={url}"), MERCHANT);
    assert_eq!(ask(&world, Method::PUT, &old).await.0, StatusCode::OK);
    assert_eq!(
        ask(&world, Method::PUT, &old).await.0,
        StatusCode::CONFLICT,
        "the same again changes nothing"
    );
    // A request counts only if it expires later than the one before.
    wait::until("another second", async || webhook(&world, Method::DELETE, "").await.0 == StatusCode::OK)
        .await;
    assert_eq!(ask(&world, Method::PUT, &old).await.0, StatusCode::CONFLICT);
    assert_eq!(webhook(&world, Method::GET, "").await.0, StatusCode::NOT_FOUND);
    let id = world.authorize(1000, 1).await;
    world.until_booked(id, "held").await;
    assert!(told.lock().unwrap().is_empty());
}

#[tokio::test]
async fn keys_that_cost_nothing_take_no_webhooks_from_who_is_paid() {
    let world = World::new().await;
    let (url, _) = server().await;
    let id = world.authorize(1000, 1).await;
    world.settled(&world.capture(id, 1000, true)).await;
    world.until_booked(id, "paid").await;
    world.crowd_webhooks().await;
    // Anybody can name a receiver that is paid, and a key of their own.
    let authorizer = keypair(STRANGER).pubkey();
    let strange = format!("/webhook?url={url}&authorizer={authorizer}");
    let (status, _, body) = ask(&world, Method::PUT, &target(&world, "PUT", HOST, &strange, STRANGER)).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    let (status, body) = webhook(&world, Method::PUT, &format!("?url={url}")).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

#[tokio::test]
async fn a_webhook_needs_the_signature_over_its_own_address() {
    let world = World::new().await;
    let good = target(&world, "PUT", HOST, "/webhook?url=http%3A%2F%2Fmine.example%2F", MERCHANT);
    for bad in [good.replace("mine", "evil"), good.replace("/webhook?", "/webhook?x=1&")] {
        assert_eq!(ask(&world, Method::PUT, &bad).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(ask(&world, Method::DELETE, &good).await.0, StatusCode::UNAUTHORIZED);
    for query in
        ["", "?url=ftp%3A%2F%2Fmine.example%2F", "?url=here", "?url=http%3A%2F%2Fu%40mine.example%2F"]
    {
        let (status, body) = webhook(&world, Method::PUT, query).await;
        assert_eq!((status, &body["error"]["field"]), (StatusCode::BAD_REQUEST, &json!("url")), "{query}");
    }
}
