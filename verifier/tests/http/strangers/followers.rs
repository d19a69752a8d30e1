//! Clients that follow payments.

use std::net::SocketAddr;

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{StatusCode, header},
};
use tower::ServiceExt;
use x402_escrow_verifier::{
    engine::limits::{AtOnce, LimitSettings},
    router::router,
};
use x402_escrow_wire::text::Hex32;

use super::{assert_limited, attacker, get, honest};
use crate::world::{Options, World};

/// Follows a payment; what is answered goes on as long as the body is there.
async fn follow(world: &World, client: SocketAddr, id: Hex32) -> (StatusCode, Option<String>, Body) {
    let mut request = get(&format!("/payments/{id}/events"));
    request.extensions_mut().insert(ConnectInfo(client));
    let (parts, body) = router(world.app.clone()).oneshot(request).await.unwrap().into_parts();
    let retry_after = parts.headers.get(header::RETRY_AFTER);
    (parts.status, retry_after.map(|seconds| seconds.to_str().unwrap().to_owned()), body)
}

#[tokio::test]
async fn one_address_can_not_keep_others_from_following() {
    let limit: fn(&mut LimitSettings) = |limits| limits.followers = AtOnce { per_client: 8, overall: 10 };
    let world = World::with(Options { limit, ..Options::default() }).await;
    let id = world.authorize(1000, 1).await;
    let mut attack = Vec::new();
    let (status, retry_after, _) = loop {
        match follow(&world, attacker(), id).await {
            (StatusCode::OK, _, body) => attack.push(body),
            refused => break refused,
        }
    };
    assert_eq!((attack.len(), status), (8, StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(retry_after.as_deref(), Some("5"));
    let (one, two) = (follow(&world, honest(), id).await, follow(&world, honest(), id).await);
    assert_eq!((one.0, two.0), (StatusCode::OK, StatusCode::OK));
    assert_eq!(follow(&world, honest(), id).await.0, StatusCode::SERVICE_UNAVAILABLE);
    attack.pop();
    assert_eq!(follow(&world, honest(), id).await.0, StatusCode::OK, "a place is free again");
    assert_limited(&world, &[("maximum_followers", 1), ("maximum_followers_per_client", 1)]).await;
}
