//! A merchant's page, as HTML: who it opens for, and what it says.

use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use serde_json::json;
use solana_sdk::signer::Signer;
use tower::ServiceExt;

use super::target;
use crate::world::{HOST, MERCHANT, PAYER, World, keypair};

/// The answer at `path` to a browser with this cookie.
async fn get(world: &World, path: &str, cookie: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::get(path).header(header::HOST, HOST).header(header::COOKIE, cookie);
    let response = world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, String::from_utf8(text.to_vec()).unwrap())
}

/// The page's path, and the cookie that a signed link sets.
async fn opened(world: &World) -> (String, String) {
    let (status, headers, _) = get(world, &target(world, "GET", HOST, "", MERCHANT), "").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let path = headers["location"].to_str().unwrap().to_owned();
    let cookie = headers["set-cookie"].to_str().unwrap();
    for part in ["HttpOnly", "Secure", "SameSite=Lax", "Max-Age=3600", &format!("Path={path}")] {
        assert!(cookie.contains(part), "{part} is not in {cookie}");
    }
    (path, cookie.split(';').next().unwrap().to_owned())
}

#[tokio::test]
async fn a_signed_link_opens_the_page_for_an_hour_and_leaves_no_signature_in_the_address() {
    let world = World::new().await;
    let (path, cookie) = opened(&world).await;
    assert_eq!(path, format!("/merchants/{}", world.merchant()));
    let (status, headers, page) = get(&world, &path, &cookie).await;
    assert_eq!((status, &headers["cache-control"]), (StatusCode::OK, &"no-store".parse().unwrap()));
    assert!(page.contains("No payments yet."), "{page}");
    assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    // Its export opens as well, and nobody else's page does.
    assert_eq!(get(&world, &format!("{path}/payments?format=csv"), &cookie).await.0, StatusCode::OK);
    let other = format!("/merchants/{}", world.fee_payer());
    for (path, cookie) in [(&path, ""), (&path, "x402_merchant=1.2.3"), (&other, cookie.as_str())] {
        let (status, headers, page) = get(&world, path, cookie).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}: {page}");
        assert!(headers["content-type"].to_str().unwrap().starts_with("text/html"), "{page}");
        assert!(page.contains("opens by a signed link"), "{page}");
    }
}

#[tokio::test]
async fn a_merchants_page_shows_what_was_sold_what_it_came_to_and_each_day() {
    let world = World::new().await;
    let mut body = world.body(&world.requirements(1_250_000), 1);
    body["paymentPayload"]["resource"] =
        json!({ "url": "https://merchant.example/report", "description": "<b>A report</b>" });
    let settled = world.settled(&body).await;
    let sold = world.payment_id(&body);
    world.settled(&world.capture(sold, 250_000, true)).await;
    let void = world.authorize(40_000, 2).await;
    world.settled(&world.void(void, 0)).await;
    world.until_booked(sold, "partly_paid").await;
    world.until_booked(void, "void").await;
    let (path, cookie) = opened(&world).await;
    let (_, _, page) = get(&world, &path, &cookie).await;
    for part in [
        "partly paid",
        "void",
        "&lt;b&gt;A report&lt;/b&gt;",
        "https://merchant.example/report",
        "0.25",
        "<svg",
        "https://explorer.solana.com/tx/",
        "?cluster=devnet",
        &format!("{path}/payments/{sold}"),
    ] {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
    assert!(!page.contains("<b>A report") && !page.contains("<script"), "{page}");
    let transaction = settled["transaction"].as_str().unwrap();
    for (query, finds_sold, finds_void) in [
        ("outcome=void".to_owned(), false, true),
        ("search=REPORT".to_owned(), true, false),
        (format!("search={void}"), false, true),
        (format!("search={transaction}"), true, false),
        (format!("search={}", keypair(PAYER).pubkey()), true, true),
        ("search=nothing".to_owned(), false, false),
    ] {
        let (status, _, page) = get(&world, &format!("{path}?{query}"), &cookie).await;
        assert_eq!(status, StatusCode::OK, "{query}: {page}");
        let found = [sold, void].map(|id| page.contains(&format!("/payments/{id}")));
        assert_eq!(found, [finds_sold, finds_void], "{query}: {page}");
    }
    let (status, _, page) = get(&world, &format!("{path}/payments/{sold}"), &cookie).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains("partly paid") && page.contains(transaction), "{page}");
    let unknown = format!("{path}/payments/{}", "0".repeat(64));
    assert_eq!(get(&world, &unknown, &cookie).await.0, StatusCode::NOT_FOUND);
    for query in ["outcome=done", "page=2", "before=x"] {
        assert_eq!(get(&world, &format!("{path}?{query}"), &cookie).await.0, StatusCode::BAD_REQUEST);
    }
}
