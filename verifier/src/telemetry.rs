//! What is logged: one line a decision, to standard error. Never bodies, headers, queries or keys.

use std::{
    io::IsTerminal,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use serde::{Deserialize, Serialize};
use tracing::{Instrument, Metadata};
use tracing_subscriber::{
    EnvFilter,
    filter::{ParseError, filter_fn},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{app::App, decision::Decision};

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For machines.
    Json,
    /// For people.
    Text,
}

/// Checks which lines are to be logged, written as `tracing` has it: `info`, or `info,sqlx=warn`.
///
/// # Errors
/// If it can't be read.
pub fn filter(directives: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::try_new(directives)
}

/// Starts logging. Does nothing if that was done before.
pub fn init(format: LogFormat, filter: EnvFilter) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match format {
        LogFormat::Json => {
            builder.json().flatten_event(true).finish().with(filter_fn(shows_no_password)).try_init()
        }
        LogFormat::Text => builder.compact().finish().with(filter_fn(shows_no_password)).try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started before");
    }
}

/// Of a line of `~/.pgpass` that it can't read, sqlx logs all, which is or has a password.
fn shows_no_password(line: &Metadata<'_>) -> bool {
    line.target() != "sqlx_postgres::options::pgpass" || line.fields().field("line").is_none()
}

/// Tells requests apart in the log, also across restarts.
#[derive(Debug)]
pub struct RequestIds {
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

/// The answer's header with the request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The layer that logs a line for each request once it is answered, and names the request in all lines in between.
pub async fn log_request(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let id = app.request_ids.next();
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
