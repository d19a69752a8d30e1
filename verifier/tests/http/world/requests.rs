//! Requests and answers.

use std::{net::SocketAddr, time::Duration};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode, header},
};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use x402_escrow_wire::text::Hex32;

use super::World;

impl World {
    /// Holds `amount` and returns the payment's id.
    pub(crate) async fn authorize(&self, amount: u64, nonce: u64) -> Hex32 {
        let body = self.body(&self.requirements(amount), nonce);
        self.settled(&body).await;
        self.payment_id(&body)
    }
    pub(crate) async fn settle(&self, body: &Value) -> Value {
        let (status, answer) = self.post("/settle", body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    /// Asks again while the answer is "not yet", as a merchant would, and then asserts a yes.
    pub(crate) async fn settled(&self, body: &Value) -> Value {
        let mut answer = self.settle(body).await;
        for _ in 0..50 {
            if answer["errorReason"] != "settlement_pending" {
                break;
            }
            answer = self.settle(body).await;
        }
        assert_eq!(answer["success"], true, "{answer}");
        answer
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.post_raw(path, "application/json", body.to_string()).await
    }

    pub(crate) async fn post_raw(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<Body>,
    ) -> (StatusCode, Value) {
        let request =
            Request::post(path).header(header::CONTENT_TYPE, content_type).body(body.into()).unwrap();
        self.request(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.request(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn request(&self, request: Request<Body>) -> (StatusCode, Value) {
        let (status, _, body) = self.request_from(None, request).await;
        (status, body)
    }

    /// The answer to a client at this address, with its `Retry-After`.
    pub(crate) async fn request_from(
        &self,
        client: Option<SocketAddr>,
        mut request: Request<Body>,
    ) -> (StatusCode, Option<u64>, Value) {
        if let Some(client) = client {
            request.extensions_mut().insert(ConnectInfo(client));
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.map(|seconds| seconds.to_str().unwrap().parse().unwrap());
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&bytes)));
        (status, retry_after, body)
    }

    /// The media type and the text at `path`.
    pub(crate) async fn text(&self, path: &str) -> (String, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (kind, String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// What `/payments/{id}` says.
    pub(crate) async fn payment(&self, id: Hex32) -> Value {
        let (status, body) = self.get(&format!("/payments/{id}")).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    /// Waits until `/payments/{id}` is as `wanted`.
    pub(crate) async fn until(&self, id: Hex32, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..3000 {
            let payment = self.payment(id).await;
            if wanted(&payment) {
                return payment;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it did not come to that: {:#}", self.payment(id).await);
    }
}
