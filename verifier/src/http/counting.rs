//! Counts requests.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};

use crate::{engine::app::App, http::answer::Decision};

/// The layer that counts requests, by route: a path can have an id in it.
pub async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let since = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let code = response.extensions().get::<Decision>().and_then(|decision| decision.code.clone());
    app.metrics.count_request(route, response.status().as_u16(), since.elapsed(), code);
    response
}
