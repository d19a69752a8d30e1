//! Requests and answers.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};
use tower::ServiceExt;
use x402_escrow_domain::advance::not_sent_in_time;
use x402_escrow_wire::text::Hex32;

use super::World;
use crate::{document::Exchange, wait::PATIENCE};

/// Answers on a port of its own, until the task is aborted.
pub(crate) async fn listen(router: Router) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (url, tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }))
}

impl World {
    /// Has the verifier answer on a port of its own, and returns its URL.
    pub(crate) async fn listen(&self) -> String {
        listen(self.router.clone()).await.0
    }

    /// Holds `amount` and returns the payment's id.
    pub(crate) async fn authorize(&self, amount: u64, nonce: u64) -> Hex32 {
        let body = self.body(&self.requirements(amount), nonce);
        self.settled(&body).await;
        self.payment_id(&body)
    }

    /// Asks again where a verifier that runs was too busy to send it in time, which says nothing of the request.
    pub(crate) async fn settle(&self, body: &Value) -> Value {
        let started = Instant::now();
        loop {
            let (status, answer) = self.post("/settle", body).await;
            assert_eq!(status, StatusCode::OK, "{answer}");
            let is_late = answer["errorMessage"] == not_sent_in_time().message;
            if !is_late || self.tracker.is_none() || started.elapsed() > PATIENCE {
                return answer;
            }
        }
    }

    /// Asks again while the answer is "not yet", as a merchant would, and then asserts a yes.
    pub(crate) async fn settled(&self, body: &Value) -> Value {
        let started = Instant::now();
        let mut answer = self.settle(body).await;
        let is_undecided = |answer: &Value| {
            answer["errorReason"] == "settlement_pending"
                || answer["errorMessage"].as_str().is_some_and(|message| message.contains("settle again"))
        };
        while is_undecided(&answer) && started.elapsed() < PATIENCE {
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

    /// The answer to a client at this address, with its `Retry-After`. Both are as the OpenAPI document says.
    pub(crate) async fn request_from(
        &self,
        client: Option<SocketAddr>,
        mut request: Request<Body>,
    ) -> (StatusCode, Option<u64>, Value) {
        if let Some(client) = client {
            request.extensions_mut().insert(ConnectInfo(client));
        }
        let (parts, body) = request.into_parts();
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        let asked = body.collect().await.unwrap().to_bytes();
        let request = Request::from_parts(parts, Body::from(asked.clone()));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let (status, headers) = (parts.status, &parts.headers);
        let answered = body.collect().await.unwrap().to_bytes();
        let exchange =
            Exchange { method: &method, path: &path, asked: &asked, status, headers, answered: &answered };
        exchange.check().unwrap_or_else(|error| panic!("openapi.json: {method} {path}: {error}"));
        let retry_after = headers.get(header::RETRY_AFTER);
        let retry_after = retry_after.map(|seconds| seconds.to_str().unwrap().parse().unwrap());
        let body = serde_json::from_slice(&answered).unwrap();
        (status, retry_after, body)
    }

    /// The operator's page at `path`: status, headers and text.
    pub(crate) async fn page(&self, path: &str) -> (StatusCode, HeaderMap, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = self.operator_router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
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

    /// Waits until no operation is under way: only then is a payment's end for the verifier to decide.
    pub(crate) async fn until_final(&self, id: Hex32) {
        let is_final = |operation: &Value| operation["status"] == "finalized";
        self.until(id, |payment| payment["operations"].as_array().unwrap().iter().all(is_final)).await;
    }
}
