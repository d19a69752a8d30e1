//! `/health`, asked again and again.

use std::num::NonZeroU32;

use axum::http::StatusCode;
use futures_util::future::join_all;

use super::{assert_limited, attacked, get, served};
use crate::{
    metrics::lines,
    world::{Options, World},
};

#[tokio::test]
async fn health_waits_for_no_writer() {
    let world = World::new().await;
    world.led().await;
    let lock = world.locked().await;
    assert_eq!(served(&world, get("/health")).await["ready"], true);
    lock.release().await;
}

#[tokio::test]
async fn the_node_is_asked_once_a_second_however_many_ask_for_health() {
    let world = World::new().await;
    world.led().await;
    let asked = async || {
        let requests = lines(&world, "x402_rpc_requests_total").await;
        let accounts = requests.iter().find(|line| line.contains("getMultipleAccounts")).unwrap();
        accounts.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()
    };
    let before = asked().await;
    join_all((0..200).map(|_| attacked(&world, get("/health")))).await;
    served(&world, get("/health")).await;
    // What is asked in the background, and for the numbers themselves, counts too.
    let more = asked().await - before;
    assert!(more < 100, "{more} questions");
}

#[tokio::test]
async fn who_asks_too_often_for_health_keeps_no_other_from_it() {
    let options = Options {
        limit: |limits| limits.health_per_minute_per_client = NonZeroU32::new(2),
        ..Options::default()
    };
    let world = World::with(options).await;
    world.led().await;
    for _ in 0..2 {
        assert_eq!(attacked(&world, get("/health")).await.0, StatusCode::OK);
    }
    let (status, retry_after, _) = attacked(&world, get("/health")).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert!((1..=31).contains(&retry_after.unwrap()), "{retry_after:?}");
    served(&world, get("/health")).await;
    assert_limited(&world, &[("health_per_minute_per_client", 1)]).await;
}
