//! What a client that follows a payment is told.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, Request},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::ServiceExt;
use x402_escrow_verifier::router::router;
use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

use crate::{document::Exchange, world::World};

const SOON: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_follower_sees_a_payment_from_its_hold_to_its_final_end_and_no_further() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    let mut events = Events::of(&world, id).await;
    assert_eq!(events.next().await.unwrap()["state"], "authorized");

    world.settled(&world.capture(id, 400, true)).await;
    let captured = events.until(|payment| payment["state"] == "ended").await;
    assert_eq!((&captured["captured"], &captured["released"]), (&json!("400"), &json!("600")));
    assert_eq!(captured, world.payment(id).await, "an event is what the payment's address answers");

    world.cluster.state().level = Commitment::Finalized;
    events
        .until(|payment| {
            let operations = payment["operations"].as_array().unwrap();
            operations.iter().all(|operation| operation["status"] == "finalized")
        })
        .await;
    assert_eq!(events.next().await, None, "the stream ends");
}

#[tokio::test]
async fn a_follower_is_told_of_a_dropped_block_and_of_what_came_after() {
    let world = World::new().await;
    let fork = world.cluster.state().clone();
    world.cluster.state().level = Commitment::Processed;
    let id = world.authorize(1000, 1).await;
    let mut events = Events::of(&world, id).await;
    events.until(|payment| payment["state"] == "authorized").await;
    world.cluster.drop_blocks_since(fork);
    world.cluster.state().loses_transactions = true;
    events.until(|payment| payment["state"] == "unsettled").await;
    world.cluster.state().loses_transactions = false;
    events.until(|payment| payment["state"] == "authorized").await;
}

#[tokio::test]
async fn nothing_is_said_twice() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    let mut events = Events::of(&world, id).await;
    let mut told = vec![events.next().await.unwrap()];
    while let Ok(Some(payment)) = timeout(Duration::from_secs(1), events.next()).await {
        assert!(!told.contains(&payment), "{payment}");
        told.push(payment);
    }
}

#[tokio::test]
async fn an_unknown_payment_can_not_be_followed() {
    let world = World::new().await;
    for (id, code) in [("00".repeat(32), "payment_not_found"), ("zz".to_owned(), "bad_request")] {
        let (_, body) = world.get(&format!("/payments/{id}/events")).await;
        assert_eq!(body["error"]["code"], code, "{body}");
    }
}

#[tokio::test]
async fn followers_are_let_go_when_the_service_stops() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    let mut events = Events::of(&world, id).await;
    events.next().await.unwrap();
    world.app.is_stopping.send_replace(true);
    while events.next().await.is_some() {}
}

/// The body of an answer, read event by event.
pub(crate) struct Events {
    body: Body,
    unread: String,
}

impl Events {
    pub(crate) async fn of(world: &World, id: Hex32) -> Self {
        let request = Request::get(format!("/payments/{id}/events")).body(Body::empty()).unwrap();
        let response = router(world.app.clone()).oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let (method, path) = (&Method::GET, &format!("/payments/{id}/events"));
        let (status, headers) = (response.status(), response.headers());
        Exchange { method, path, asked: &[], status, headers, answered: &[] }.check().unwrap();
        Self { body: response.into_body(), unread: String::new() }
    }

    /// The next event's data; `None` where the stream ends.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let data = event.strip_prefix("event: payment\ndata: ").map(str::to_owned);
                self.unread = rest.to_owned();
                if let Some(data) = data {
                    return Some(serde_json::from_str(&data).unwrap());
                }
                continue;
            }
            let frame = timeout(SOON, self.body.frame()).await.expect("news come soon")?;
            self.unread += std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap();
        }
    }

    pub(crate) async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let payment = self.next().await.expect("the stream ended before it came to that");
            if wanted(&payment) {
                return payment;
            }
        }
    }
}
