//! Bodies that are sent slowly, or never.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::{Request, StatusCode, header},
};
use futures_util::{StreamExt, stream};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::ServiceExt;
use x402_escrow_verifier::{
    engine::limits::{AtOnce, LimitSettings},
    router::router,
};

use super::{SOON, assert_limited, attacker, get, honest, post, served};
use crate::world::{Options, World};

/// What never comes while a test runs.
const NEVER: Duration = Duration::from_secs(600);

/// A request whose body begins, and does not go on.
fn slow(client: SocketAddr) -> Request<Body> {
    slow_until(client, sleep(NEVER))
}

/// A request whose body begins, and goes on at `last`.
fn slow_until(client: SocketAddr, last: impl Future<Output = ()> + Send + 'static) -> Request<Body> {
    let begun = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]);
    let rest = stream::once(async move {
        last.await;
        Ok(Bytes::from_static(b"}"))
    });
    let request = Request::post("/settle").header(header::CONTENT_TYPE, "application/json");
    let mut request = request.body(Body::from_stream(begun.chain(rest))).unwrap();
    request.extensions_mut().insert(ConnectInfo(client));
    request
}

/// Waits until so many of these requests are answered. Returns the statuses of all that are by then, and those that are
/// not.
async fn send(
    world: &World,
    count: usize,
    turned: usize,
    request: impl Fn() -> Request<Body>,
) -> (Vec<u16>, JoinSet<u16>) {
    let mut sent = JoinSet::new();
    for _ in 0..count {
        let (router, request) = (router(world.app.clone()), request());
        sent.spawn(async move { router.oneshot(request).await.unwrap().status().as_u16() });
    }
    let mut answered = Vec::new();
    while answered.len() < turned {
        let next = timeout(SOON, sent.join_next()).await.expect("they are answered at once");
        answered.push(next.unwrap().unwrap());
    }
    sleep(Duration::from_millis(200)).await;
    while let Some(status) = sent.try_join_next() {
        answered.push(status.unwrap());
    }
    (answered, sent)
}

#[tokio::test]
async fn slow_bodies_take_no_place_from_those_that_are_worked_on() {
    let options = Options { limit: |limits| limits.maximum_concurrent_requests = 4, ..Options::default() };
    let world = World::with(options).await;
    let (answered, attack) = send(&world, 12, 0, || slow(attacker())).await;
    assert_eq!((answered, attack.len()), (vec![], 12));
    served(&world, get("/supported")).await;
}

#[tokio::test]
async fn an_address_sends_so_many_bodies_at_once_and_others_send_theirs() {
    let limit: fn(&mut _) = |limits: &mut LimitSettings| {
        limits.bodies = AtOnce { per_client: 3, overall: 4 };
        limits.body_timeout = NEVER;
    };
    let world = World::with(Options { limit, ..Options::default() }).await;
    let (answered, mut attack) = send(&world, 5, 2, || slow(attacker())).await;
    assert_eq!((answered, attack.len()), (vec![429, 429], 3));
    served(&world, post("/settle", &world.body(&world.requirements(1000), 1))).await;
    let (answered, other) = send(&world, 2, 1, || slow(honest())).await;
    assert_eq!((answered, other.len()), (vec![503], 1), "all together have four");
    attack.shutdown().await;
    served(&world, post("/settle", &world.body(&world.requirements(1000), 2))).await;
    assert_limited(&world, &[("maximum_bodies", 1), ("maximum_bodies_per_client", 2)]).await;
}

#[tokio::test]
async fn a_body_has_its_time_and_no_more() {
    let world = World::new().await;
    let go_on = Arc::new(Notify::new());
    let request = || slow_until(honest(), Arc::clone(&go_on).notified_owned());
    let (answered, mut in_time) = send(&world, 1, 0, request).await;
    assert!(answered.is_empty(), "{answered:?}");
    go_on.notify_one();
    assert_eq!(in_time.join_next().await.unwrap().unwrap(), 400, "it is read, and is nothing");

    let limit: fn(&mut _) = |limits: &mut LimitSettings| {
        limits.body_timeout = Duration::from_millis(500);
    };
    let world = World::with(Options { limit, ..Options::default() }).await;
    let late = router(world.app.clone()).oneshot(slow(attacker()));
    let answer = timeout(SOON, late).await.unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(answer.headers()[header::RETRY_AFTER], "1");
    assert_limited(&world, &[("body_timeout_seconds", 1)]).await;
}
