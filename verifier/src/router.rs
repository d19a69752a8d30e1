//! Every route, and every layer in order.

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware::{from_fn_with_state, map_response},
    routing::{get, post},
};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

use crate::{app::App, error, limits, metrics, routes, telemetry};

/// The service's HTTP interface.
pub fn router(app: Arc<App>) -> Router {
    let request_timeout = app.settings.request_timeout;
    let body_limit = app.settings.maximum_body_bytes;
    Router::new()
        .route("/intents", post(routes::intents::create))
        .route("/intents/payload", post(routes::intents::payload))
        .route("/verify", post(routes::verify::verify))
        .route("/settle", post(routes::settle::settle))
        .route("/refunds", post(routes::refunds::draft))
        .route("/refunds/signed", post(routes::refunds::send))
        .route("/supported", get(routes::supported::supported))
        .route("/payments/{id}", get(routes::payments::payment))
        .route("/payments/{id}/events", get(routes::events::events))
        .route_layer(from_fn_with_state(Arc::clone(&app), limits::limit))
        // The operator sees what is going on however much is asked.
        .route("/health", get(routes::health::health))
        .route("/metrics", get(routes::metrics::metrics))
        // Each layer wraps those above it: a request passes them from the bottom up.
        .layer(DefaultBodyLimit::max(body_limit))
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, request_timeout))
        .layer(map_response(error::in_one_shape))
        .layer(from_fn_with_state(Arc::clone(&app), metrics::count))
        .layer(from_fn_with_state(Arc::clone(&app), telemetry::log_request))
        .with_state(app)
}
