//! Who may see a merchant's payments.

use std::num::NonZeroU32;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use solana_sdk::signer::Signer;
use x402_escrow_wire::auth_capture::Extra;

use super::{ask, listed, target};
use crate::world::{HOST, MERCHANT, Options, World, keypair, signing_key};

/// Another key that may sign for the merchant.
const AUTHORIZER: u8 = 77;

async fn refused(world: &World, target: &str, field: &str) {
    let (status, _, body) = ask(world, Method::GET, target).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    let found = (status, &body["error"]["code"], &body["error"]["field"]);
    assert_eq!(found, (StatusCode::UNAUTHORIZED, &json!("unauthorized"), &json!(field)), "{target}: {body}");
}

#[tokio::test]
async fn only_a_fresh_signature_for_this_verifier_and_this_question_opens_a_merchants_books() {
    let world = World::new().await;
    let own = |rest: &str| target(&world, "GET", HOST, rest, MERCHANT);
    for route in ["/payments", "/totals"] {
        assert_eq!(ask(&world, Method::GET, &own(route)).await.0, StatusCode::OK);
        let path = format!("/merchants/{}{route}", world.merchant());
        refused(&world, &path, "signature").await;
        refused(&world, &target(&world, "GET", HOST, route, AUTHORIZER), "signature").await;
        refused(&world, &target(&world, "PUT", HOST, route, MERCHANT), "signature").await;
        refused(&world, &target(&world, "GET", "other.example", route, MERCHANT), "signature").await;
        refused(&world, &own(route).replace("expires=", "limit=5&expires="), "signature").await;
        let expired = own(route).replace("expires=1", "expires=0");
        refused(&world, &expired, "expires").await;
    }
    let stranger = keypair(AUTHORIZER).pubkey().to_string();
    let others = own("/payments").replace(&world.merchant().to_string(), &stranger);
    refused(&world, &others, "signature").await;
    let (status, _, body) = ask(&world, Method::GET, "/merchants/nobody/payments").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.contains("\"field\":\"receiver\""), "{body}");
}

#[tokio::test]
async fn a_receiver_authorizer_sees_the_payments_that_it_may_sign_for() {
    let world = World::new().await;
    let mut requirements = world.requirements(1000);
    let mut extra = Extra::read(&requirements).unwrap();
    extra.receiver_authorizer = keypair(AUTHORIZER).pubkey().into();
    requirements.extra = extra.to_map();
    let body = world.body(&requirements, 1);
    world.settled(&body).await;
    let (theirs, own) = (world.payment_id(&body), world.authorize(2000, 2).await);
    world.until_booked(theirs, "held").await;
    world.until_booked(own, "held").await;
    let rest = format!("/payments?authorizer={}", keypair(AUTHORIZER).pubkey());
    let (status, _, answer) = ask(&world, Method::GET, &target(&world, "GET", HOST, &rest, AUTHORIZER)).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(status, StatusCode::OK, "{answer}");
    let ids: Vec<_> = answer["payments"].as_array().unwrap().iter().map(|one| &one["paymentId"]).collect();
    assert_eq!(ids, [&json!(theirs)]);
    assert_eq!(listed(&world, "/payments").await["payments"].as_array().unwrap().len(), 2);
    // Its name alone proves nothing, and it can't speak for the receiver.
    refused(&world, &target(&world, "GET", HOST, &rest, MERCHANT), "signature").await;
    refused(&world, &target(&world, "GET", HOST, "/payments", AUTHORIZER), "signature").await;
    assert_eq!(signing_key(AUTHORIZER).verifying_key().to_bytes(), keypair(AUTHORIZER).pubkey().to_bytes());
}

#[tokio::test]
async fn a_merchant_that_asks_too_often_is_told_when_to_come_again_and_strangers_use_up_nothing() {
    let options = Options {
        limit: |limits| limits.requests_per_minute_per_merchant = NonZeroU32::new(2),
        ..Options::default()
    };
    let world = World::with(options).await;
    for _ in 0..5 {
        refused(&world, &target(&world, "GET", HOST, "/payments", AUTHORIZER), "signature").await;
    }
    for _ in 0..2 {
        listed(&world, "/payments").await;
    }
    let target = target(&world, "GET", HOST, "/payments", MERCHANT);
    let (status, headers, body) = ask(&world, Method::GET, &target).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{body}");
    assert!(headers.contains_key("retry-after"));
}
