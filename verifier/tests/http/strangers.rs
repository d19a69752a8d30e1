//! What strangers do so that others are not served, and that those are served all the same.

mod bodies;
mod captures;
mod followers;
mod health;
mod intents;
mod payments;
mod waiting;
mod work;

use std::{net::SocketAddr, time::Duration};

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::Value;
use tokio::time::timeout;

use crate::{metrics::lines, world::World};

/// How long an honest caller waits at most: who is kept waiting here is so for good.
const SOON: Duration = Duration::from_secs(60);

fn attacker() -> SocketAddr {
    "192.0.2.66:1000".parse().unwrap()
}

fn honest() -> SocketAddr {
    "198.51.100.7:1000".parse().unwrap()
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

fn post(path: &str, body: &Value) -> Request<Body> {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

/// The answer to an attacker, with its `Retry-After`.
async fn attacked(world: &World, request: Request<Body>) -> (StatusCode, Option<u64>, Value) {
    world.request_from(Some(attacker()), request).await
}

/// An honest caller's answer, which comes soon.
async fn served(world: &World, request: Request<Body>) -> Value {
    let answered = timeout(SOON, world.request_from(Some(honest()), request));
    let (status, _, body) = answered.await.expect("an honest caller is served in time");
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

/// How often each limit was reached.
async fn assert_limited(world: &World, expected: &[(&str, u64)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(limit, count)| format!("x402_limited_total{{limit=\"{limit}\"}} {count}"))
        .collect();
    let mut limited = lines(world, "x402_limited_total").await;
    limited.sort();
    assert_eq!(limited, expected);
}
