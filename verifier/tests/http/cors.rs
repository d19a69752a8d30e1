//! What browsers let pages ask.

use axum::{
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use tower::ServiceExt;
use x402_escrow_verifier::router::router;

use crate::world::{Options, World};

const PAGE: &str = "https://shop.example";

async fn asked(
    world: &World,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> (StatusCode, HeaderMap) {
    let mut request = Request::builder().method(method).uri(path).header(header::ORIGIN, PAGE);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let (parts, _) = router(world.app.clone()).oneshot(request).await.unwrap().into_parts();
    (parts.status, parts.headers)
}

async fn preflight(world: &World, method: &str, path: &str) -> HeaderMap {
    let asks =
        [("access-control-request-method", method), ("access-control-request-headers", "content-type")];
    asked(world, Method::OPTIONS, path, &asks).await.1
}

#[tokio::test]
async fn pages_may_ask_what_agents_ask() {
    let world = World::new().await;
    let id = world.authorize(1000, 1).await;
    for (method, path) in [
        ("POST", "/intents".to_owned()),
        ("POST", "/intents/payload".to_owned()),
        ("GET", "/supported".to_owned()),
        ("GET", "/openapi.json".to_owned()),
        ("GET", format!("/payments/{id}")),
        ("GET", format!("/payments/{id}/events")),
    ] {
        let allowed = preflight(&world, method, &path).await;
        assert_eq!(allowed["access-control-allow-origin"], "*", "{path}");
        assert!(allowed["access-control-allow-methods"].to_str().unwrap().contains(method), "{path}");
        assert_eq!(allowed["access-control-allow-headers"], "content-type", "{path}");
        assert!(!allowed.contains_key("access-control-allow-credentials"), "{path}");
    }
    let (status, answered) = asked(&world, Method::GET, "/supported", &[]).await;
    assert_eq!((status, &answered["access-control-allow-origin"]), (StatusCode::OK, &"*".parse().unwrap()));
    assert_eq!(answered["access-control-expose-headers"], "retry-after,x-request-id");
    assert!(answered.contains_key("x-request-id"));
}

#[tokio::test]
async fn a_page_can_read_why_it_is_refused() {
    let limit: fn(&mut _) = |limits: &mut x402_escrow_verifier::engine::limits::LimitSettings| {
        limits.requests_per_minute_per_client = std::num::NonZeroU32::new(1);
    };
    let world = World::with(Options { limit, ..Options::default() }).await;
    asked(&world, Method::GET, "/supported", &[]).await;
    let (status, answered) = asked(&world, Method::GET, "/supported", &[]).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answered["access-control-allow-origin"], "*");
    assert!(answered.contains_key("retry-after"));
}

#[tokio::test]
async fn pages_do_not_ask_what_only_servers_ask() {
    let world = World::new().await;
    for (method, path) in [
        ("POST", "/settle"),
        ("POST", "/verify"),
        ("POST", "/refunds"),
        ("POST", "/refunds/signed"),
        ("GET", "/health"),
    ] {
        let allowed = preflight(&world, method, path).await;
        assert!(!allowed.contains_key("access-control-allow-origin"), "{path}");
    }
}

#[tokio::test]
async fn an_operator_says_whose_pages_may_ask() {
    let options = Options { cors_allowed_origin: "https://other.example", ..Options::default() };
    let world = World::with(options).await;
    assert!(!preflight(&world, "GET", "/supported").await.contains_key("access-control-allow-origin"));
    let options = Options { cors_allowed_origin: PAGE, ..Options::default() };
    let world = World::with(options).await;
    assert_eq!(preflight(&world, "GET", "/supported").await["access-control-allow-origin"], PAGE);
}
