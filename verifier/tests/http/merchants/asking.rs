//! Signed requests.

use axum::{
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use ed25519_dalek::Signer;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use x402_escrow_wire::merchant_request::{signed_text, with_expiry, with_signature};

use crate::{
    document::Exchange,
    world::{HOST, MERCHANT, World, signing_key},
};

/// A path about the merchant's payments with its query, signed for `host` and a minute by the key of this seed.
pub(crate) fn target(world: &World, method: &str, host: &str, rest: &str, seed: u8) -> String {
    let target = with_expiry(&format!("/merchants/{}{rest}", world.merchant()), world.app.now() + 60);
    let text = signed_text(method, host, &target);
    with_signature(&target, &signing_key(seed).sign(text.as_bytes()).to_bytes())
}

/// The answer to a request for `target` at the verifier's own name. It is as the OpenAPI document says.
pub(crate) async fn ask(world: &World, method: Method, target: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::builder().method(&method).uri(target).header(header::HOST, HOST);
    let request = request.body(Body::empty()).unwrap();
    let path = request.uri().path().to_owned();
    let response = world.router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let answered = body.collect().await.unwrap().to_bytes();
    let (status, headers) = (parts.status, &parts.headers);
    let exchange =
        Exchange { method: &method, path: &path, asked: b"", status, headers, answered: &answered };
    exchange.check().unwrap_or_else(|error| panic!("openapi.json: {method} {path}: {error}"));
    (status, parts.headers.clone(), String::from_utf8(answered.to_vec()).unwrap())
}

/// What the merchant is told for `rest`, as `/payments?outcome=paid`.
pub(crate) async fn listed(world: &World, rest: &str) -> Value {
    let (status, _, body) = ask(world, Method::GET, &target(world, "GET", HOST, rest, MERCHANT)).await;
    assert_eq!(status, StatusCode::OK, "{rest}: {body}");
    serde_json::from_str(&body).unwrap()
}
