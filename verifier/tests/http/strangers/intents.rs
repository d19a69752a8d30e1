//! Intents that are drafted for somebody else's session.

use std::num::NonZeroU32;

use axum::http::StatusCode;
use serde_json::json;

use super::{assert_limited, attacked, post, served};
use crate::{
    intents::request,
    world::{Options, World},
};

#[tokio::test]
async fn a_stranger_does_not_move_the_nonces_that_a_session_is_given() {
    let world = World::new().await;
    let asked = request(&world, json!([world.requirements(1000)]));
    let nonce = async || served(&world, post("/intents", &asked)).await["intent"]["nonce"].clone();
    assert_eq!(nonce().await, "1");
    for _ in 0..31 {
        assert_eq!(attacked(&world, post("/intents", &asked)).await.0, StatusCode::OK);
    }
    assert_eq!(nonce().await, "2");
}

#[tokio::test]
async fn a_stranger_uses_up_nothing_of_the_drafts_that_a_session_has() {
    let options = Options {
        limit: |limits| limits.intents_per_minute_per_session = NonZeroU32::new(2),
        ..Options::default()
    };
    let world = World::with(options).await;
    let asked = request(&world, json!([world.requirements(1000)]));
    for _ in 0..2 {
        assert_eq!(attacked(&world, post("/intents", &asked)).await.0, StatusCode::OK);
    }
    let (status, retry_after, body) = attacked(&world, post("/intents", &asked)).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (StatusCode::TOO_MANY_REQUESTS, &"too_many_requests".into())
    );
    assert!((1..=31).contains(&retry_after.unwrap()), "{retry_after:?}");
    served(&world, post("/intents", &asked)).await;
    assert_limited(&world, &[("intents_per_minute_per_session", 1)]).await;
}
