//! Every route, and every layer in order: those for everybody, and those for the operator, which have a listener of their
//! own. Uses `operator`, `http` and `engine`.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state, map_response},
    routing::{get, post},
};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

use crate::{
    engine::app::App,
    http::{admission, counting, error, log, routes},
    operator::{health, routes as operator_routes},
};

/// How many of the operator's pages are made at once: each reads a good part of the store.
const OPERATOR_CONCURRENCY: usize = 2;

/// What everybody can ask.
pub fn router(app: Arc<App>) -> Router {
    let body_limit = DefaultBodyLimit::max(app.settings.maximum_body_bytes);
    let admit = from_fn_with_state(Arc::clone(&app), admission::admit);
    let count = from_fn_with_state(Arc::clone(&app), admission::count);
    let count_health = from_fn_with_state(Arc::clone(&app), admission::count_health);
    // Each layer wraps those above it: a request passes them from the bottom up.
    let of_browsers = Router::new()
        .route("/intents", post(routes::intents::create))
        .route("/intents/payload", post(routes::payload::payload))
        .route("/supported", get(routes::supported::supported))
        .route("/payments/{id}", get(routes::payments::payment))
        .route("/payments/{id}/events", get(routes::events::events))
        .route_layer(admit.clone())
        .route("/openapi.json", get(routes::openapi::openapi).layer(count))
        .layer(body_limit);
    let of_servers = Router::new()
        .route("/verify", post(routes::verify::verify))
        .route("/settle", post(routes::settle::settle))
        .route("/refunds", post(routes::refunds::draft))
        .route("/refunds/signed", post(routes::refunds::send))
        .route_layer(admit)
        .route(
            "/health",
            get(health::health).layer(Extension(Arc::<health::Latest>::default())).layer(count_health),
        )
        .layer(body_limit);
    answering(of_browsers.merge(of_servers), app)
}

/// What only the operator can ask.
pub fn operator_router(app: Arc<App>) -> Router {
    let routes = Router::new()
        .route("/metrics", get(operator_routes::metrics::metrics))
        .route("/status", get(operator_routes::status::overview))
        .route("/status/payments/{id}", get(operator_routes::status::payment))
        .layer(GlobalConcurrencyLimitLayer::new(OPERATOR_CONCURRENCY));
    answering(routes, app)
}

/// What becomes of every answer.
fn answering(routes: Router<Arc<App>>, app: Arc<App>) -> Router {
    let request_timeout = app.settings.request_timeout;
    routes
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, request_timeout))
        .layer(map_response(error::in_one_shape))
        .layer(from_fn_with_state(Arc::clone(&app), counting::count))
        .layer(from_fn(log::log_request))
        .with_state(app)
}
