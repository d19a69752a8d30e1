//! Safety of the pages: bad requests, markup, headers, and who can reach them.

use axum::http::StatusCode;

use crate::world::World;

#[tokio::test]
async fn what_can_not_be_shown_is_refused_in_words_and_nothing_is_taken_for_markup() {
    let world = World::new().await;
    let unknown = format!("/status/payments/{}", "0".repeat(64));
    for (path, status, words) in [
        ("/status?receiver=%3Cscript%3Ealert(1)%3C/script%3E", 400, "is no address"),
        ("/status?days=2", 400, "must be one of [1, 7, 30]"),
        ("/status?before=yesterday", 400, "a hyphen and its id"),
        ("/status?outcome=done", 400, "must be one of unsettled, held"),
        ("/status?receiver=1&receiver=2", 400, "duplicate field"),
        ("/status/payments/%3Cb%3E", 400, "64 hex digits"),
        (&unknown, 404, "is known here"),
    ] {
        let (found, headers, page) = world.page(path).await;
        assert_eq!(found.as_u16(), status, "{path}: {page}");
        assert!(page.contains(words), "{path}: {page}");
        assert!(!page.contains("<script") && !page.contains("<b>"), "{path}: {page}");
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    }
}

#[tokio::test]
async fn pages_are_not_stored_and_load_nothing() {
    let world = World::new().await;
    let (_, headers, page) = world.page("/status").await;
    assert_eq!(headers["cache-control"], "no-store");
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(!page.contains("style=") && !page.contains("<script"), "{page}");
}

#[tokio::test]
async fn the_operators_pages_are_not_public_and_the_public_ones_not_the_operators() {
    let world = World::new().await;
    for path in ["/metrics", "/status", "/status/payments/00"] {
        let (status, body) = world.get(path).await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (404, &"not_found".into()), "{path}");
    }
    for path in ["/health", "/supported", "/payments/00"] {
        let (status, _, text) = world.page(path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {text}");
    }
}
