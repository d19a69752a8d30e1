use std::{net::SocketAddr, num::NonZeroU32};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use tokio::net::TcpListener;
use x402_escrow_verifier::serve;
use x402_escrow_wire::auth_capture::Commitment;

use crate::{
    wait,
    world::{Options, World},
};

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

fn client(address: &str) -> Option<SocketAddr> {
    Some(address.parse().unwrap())
}

#[tokio::test]
async fn a_client_that_asks_too_often_is_told_when_to_ask_again_and_no_other_client_is() {
    let options = Options {
        limit: |limits| limits.requests_per_minute_per_client = NonZeroU32::new(2),
        ..Options::default()
    };
    let world = World::with(options).await;
    let (one, other) = (client("192.0.2.1:1000"), client("192.0.2.2:1000"));
    for _ in 0..2 {
        assert_eq!(world.request_from(one, get("/supported")).await.0, StatusCode::OK);
    }
    // Another connection of the same client is the same client.
    let (status, retry_after, body) = world.request_from(client("192.0.2.1:2000"), get("/supported")).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(body["error"]["code"], "too_many_requests");
    assert!((1..=31).contains(&retry_after.unwrap()), "{retry_after:?}");
    assert_eq!(world.request_from(other, get("/supported")).await.0, StatusCode::OK);
    // How the service is has a share of its own.
    world.led().await;
    assert_eq!(world.request_from(one, get("/health")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_session_that_pays_too_often_holds_no_more_and_others_use_up_nothing_of_its_share() {
    let options = Options {
        limit: |limits| limits.payments_per_minute.per_session = NonZeroU32::new(1),
        ..Options::default()
    };
    let world = World::with(options).await;
    let mut forged = world.body(&world.requirements(1000), 1);
    let requirements = world.requirements(1000);
    let good = forged.clone();
    forged["paymentPayload"]["payload"]["nonce"] = "7".into();
    for _ in 0..3 {
        assert_eq!(world.settle(&forged).await["errorReason"], "invalid_auth_capture_svm_signature");
    }
    world.settled(&good).await;
    // The same again is no new payment.
    world.settled(&good).await;
    let before = world.everything().await;
    let (status, body) = world.post("/settle", &world.body(&requirements, 2)).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (StatusCode::TOO_MANY_REQUESTS, &"too_many_requests".into())
    );
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn more_than_can_be_worked_on_is_turned_away_and_room_is_made_again() {
    let world =
        World::with(Options { limit: |limits| limits.maximum_concurrent_requests = 1, ..Options::default() })
            .await;
    // It is worked on as long as the store takes no write.
    let lock = world.locked().await;
    let body = world.body(&world.requirements(1000), 1);
    let settling = world.settle(&body);
    let meanwhile = async {
        wait::until("it to be worked on", async || {
            world.request_from(None, get("/supported")).await.0 != StatusCode::OK
        })
        .await;
        let answer = world.request_from(None, get("/supported")).await;
        // It takes no place. Whether it is well is another matter while nothing can be written.
        assert!(world.get("/health").await.1["ready"].is_boolean());
        lock.release().await;
        answer
    };
    let (settled, (status, retry_after, body)) = tokio::join!(settling, meanwhile);
    assert_eq!((status, retry_after), (StatusCode::SERVICE_UNAVAILABLE, Some(1)));
    assert_eq!(body["error"]["code"], "overloaded");
    assert_eq!(settled["success"], true);
    // Its place is given back once its answer has left.
    wait::until("room to be made again", async || world.get("/supported").await.0 == StatusCode::OK).await;
}

#[tokio::test]
async fn an_escrow_can_only_lock_so_much_rent_until_its_payments_are_over() {
    let world = World::with(Options { maximum_open_holds_per_escrow: 2, ..Options::default() }).await;
    let first = world.authorize(1000, 1).await;
    let second = world.body(&world.requirements(1000), 2);
    world.settled(&second).await;
    let third = world.body(&world.requirements(1000), 3);
    let code = "invalid_auth_capture_svm_too_many_open_holds";
    let before = world.everything().await;
    assert_eq!(world.settle(&third).await["errorReason"], code);
    assert_eq!(world.post("/verify", &third).await.1["invalidReason"], code);
    assert_eq!(world.everything().await, before);
    // What is known is answered as ever.
    world.settled(&second).await;

    // Captured, and not final: it could come back.
    world.settled(&world.capture(first, 1000, true)).await;
    assert_eq!(world.settle(&third).await["errorReason"], code);
    world.cluster.state().level = Commitment::Finalized;
    world.app.to_send.notify_one();
    let open = async || world.open_holds().await;
    wait::until("the first payment to be over", async || open().await <= 1).await;
    world.settled(&third).await;
}

#[tokio::test]
async fn at_once_no_more_are_accepted_than_one_after_the_other() {
    let world = World::with(Options { maximum_open_holds_per_escrow: 2, ..Options::default() }).await;
    let bodies: Vec<_> = (1..=6).map(|nonce| world.body(&world.requirements(1000), nonce)).collect();
    let answers = futures_util::future::join_all(bodies.iter().map(|body| world.settle(body))).await;
    let accepted = answers.iter().filter(|answer| answer["success"] == true).count();
    assert_eq!(accepted, 2, "{answers:#?}");
    assert_eq!(world.rows().await[0], 2);
}

#[tokio::test]
async fn what_is_refused_counts_for_nothing() {
    let world = World::with(Options { maximum_open_holds_per_escrow: 1, ..Options::default() }).await;
    world.cluster.state().next_error = Some(solana_sdk::transaction::TransactionError::AccountInUse);
    world.cluster.state().level = Commitment::Finalized;
    let first = world.body(&world.requirements(1000), 1);
    assert_eq!(world.settle(&first).await["success"], false);
    world.authorize(1000, 2).await;
}

#[tokio::test]
async fn too_little_is_not_held() {
    let world = World::with(Options { minimum_hold_amount: 1000, ..Options::default() }).await;
    let before = world.everything().await;
    let body = world.body(&world.requirements(999), 1);
    let answer = world.settle(&body).await;
    assert_eq!(answer["errorReason"], "invalid_auth_capture_svm_amount_too_small");
    assert_eq!(answer["errorMessage"], "amount: 0.000999 tokens is below the least, 0.001 tokens");
    assert_eq!(world.everything().await, before);
    world.settled(&world.body(&world.requirements(1000), 1)).await;
}

#[tokio::test]
async fn rent_is_locked_only_for_tokens_that_are_served_and_what_was_accepted_is_carried_out() {
    let mut world = World::new().await;
    let held = world.authorize(1000, 1).await;
    let served = Options { mints: &[41], ..Options::default() };
    world.restart(served).await;
    let body = world.body(&world.requirements(1000), 2);
    let before = world.everything().await;
    let code = "invalid_auth_capture_svm_unsupported_asset";
    assert_eq!(world.settle(&body).await["errorReason"], code);
    assert_eq!(world.post("/verify", &body).await.1["invalidReason"], code);
    assert_eq!(world.everything().await, before);
    let challenge = crate::intents::request(&world, serde_json::json!([world.requirements(1000)]));
    let (status, answer) = world.post("/intents", &challenge).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer["passedOver"][0]["reason"].as_str().unwrap().contains("is not served here"), "{answer}");
    world.settled(&world.capture(held, 1000, true)).await;
}

#[tokio::test]
async fn who_listens_knows_its_clients() {
    let options = Options {
        limit: |limits| limits.requests_per_minute_per_client = NonZeroU32::new(1),
        ..Options::default()
    };
    let mut world = World::with(options).await;
    world.crash().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/supported", listener.local_addr().unwrap());
    let server =
        tokio::spawn(serve(listener, None, world.another_app(options).await, std::future::pending()));
    let first = reqwest::get(&url).await.unwrap();
    assert_eq!(first.status().as_u16(), 200);
    let second = reqwest::get(&url).await.unwrap();
    assert_eq!(second.status().as_u16(), 429);
    assert!(second.headers().contains_key("retry-after"));
    server.abort();
}
