//! Every route, and every layer in order: those for everybody, and those for the operator, which have a listener of their
//! own. Uses `operator`, `http` and `engine`.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    http::{HeaderValue, Method, StatusCode, header},
    middleware::{from_fn, from_fn_with_state, map_response},
    routing::{delete, get, post, put},
};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowOrigin, CorsLayer},
    timeout::TimeoutLayer,
};

use crate::{
    engine::app::App,
    http::{admission, counting, error, log, routes},
    operator::{health, routes as operator_routes},
};

/// How many of the operator's pages are made at once: each reads a good part of the store.
const OPERATOR_CONCURRENCY: usize = 2;

/// For how long a browser keeps what it was told that pages may ask, in seconds.
const PREFLIGHT_SECONDS: u64 = 600;

/// What everybody can ask.
pub fn router(app: Arc<App>) -> Router {
    let body_limit = DefaultBodyLimit::max(app.settings.maximum_body_bytes);
    let admit = from_fn_with_state(Arc::clone(&app), admission::admit);
    let count = from_fn_with_state(Arc::clone(&app), admission::count);
    let count_health = from_fn_with_state(Arc::clone(&app), admission::count_health);
    let latest = Extension(Arc::<health::Latest>::default());
    // Each layer wraps those above it: a request passes them from the bottom up.
    let of_browsers = Router::new()
        .route("/intents", post(routes::intents::create))
        .route("/intents/payload", post(routes::payload::payload))
        .route("/revocations", post(routes::revocations::relay))
        .route("/supported", get(routes::supported::supported))
        .route("/discovery/resources", get(routes::discovery::resources))
        .route("/payments/{id}", get(routes::payments::payment))
        .route("/payments/{id}/events", get(routes::events::events))
        .route_layer(admit.clone())
        .route("/openapi.json", get(routes::openapi::openapi).layer(count))
        .layer(body_limit);
    let of_servers = Router::new()
        .route("/verify", post(routes::verify::verify))
        .route("/settle", post(routes::settle::settle))
        .route("/receivers/{receiver}/{asset}", get(routes::receivers::receiver))
        .route("/merchants/{receiver}", get(routes::merchant_pages::overview))
        .route("/merchants/{receiver}/payments/{id}", get(routes::merchant_pages::payment))
        .route("/merchants/{receiver}/payments", get(routes::merchants::payments))
        .route("/merchants/{receiver}/webhook", get(routes::merchant_webhooks::show))
        .route("/merchants/{receiver}/webhook", put(routes::merchant_webhooks::set))
        .route("/merchants/{receiver}/webhook", delete(routes::merchant_webhooks::remove))
        .route("/merchants/{receiver}/totals", get(routes::merchants::totals))
        .route("/refunds", post(routes::refunds::draft))
        .route("/refunds/signed", post(routes::refunds::send))
        .route_layer(admit)
        .route("/health", get(health::health).layer(latest).layer(count_health))
        .layer(body_limit);
    let cors = cors(&app.settings.cors_allowed_origins);
    answering(of_browsers, Arc::clone(&app)).layer(cors).merge(answering(of_servers, app))
}

/// Lets pages of these origins ask. None of these routes looks at a cookie, so no page has more rights than a stranger.
fn cors(origins: &[String]) -> CorsLayer {
    let origins = match origins {
        [any] if any == "*" => AllowOrigin::any(),
        listed => AllowOrigin::list(listed.iter().filter_map(|origin| HeaderValue::from_str(origin).ok())),
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::CONTENT_TYPE])
        .expose_headers([header::RETRY_AFTER, log::REQUEST_ID])
        .max_age(Duration::from_secs(PREFLIGHT_SECONDS))
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
