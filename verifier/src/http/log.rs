//! Logs a line for each request.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;

use crate::http::answer::Decision;

/// Tells requests apart in the log, also across restarts.
#[derive(Debug)]
struct RequestIds {
    started_at: u128,
    next: AtomicU64,
}

impl Default for RequestIds {
    fn default() -> Self {
        let started_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        Self { started_at, next: AtomicU64::new(1) }
    }
}

impl RequestIds {
    /// The next request's id. What a client calls its request is not asked for: it could be anything.
    fn next(&self) -> String {
        format!("{:x}-{:x}", self.started_at, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

static REQUEST_IDS: LazyLock<RequestIds> = LazyLock::new(RequestIds::default);

/// The answer's header with the request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The layer that logs a line for each request once it is answered, and names the request in all lines in between.
pub async fn log_request(request: Request, next: Next) -> Response {
    let id = REQUEST_IDS.next();
    let span = tracing::info_span!("request", id, method = %request.method(), path = request.uri().path());
    let since = Instant::now();
    async {
        let mut response = next.run(request).await;
        log_answer(&response, since);
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
    .instrument(span.clone())
    .await
}

fn log_answer(response: &Response, since: Instant) {
    let status = response.status();
    let milliseconds = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    let decision = response.extensions().get::<Decision>();
    let verdict = decision.map(|decision| match (&decision.code, status.is_success()) {
        (None, _) => "yes",
        (Some(_), true) => "no",
        (Some(_), false) => "error",
    });
    let code = decision.and_then(|decision| decision.code.as_deref());
    let payment = decision.and_then(|decision| decision.payment.as_deref());
    tracing::info!(status = status.as_u16(), milliseconds, verdict, code, payment, "answered");
}
