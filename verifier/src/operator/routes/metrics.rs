//! Numbers for Prometheus.

use std::sync::Arc;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use crate::{engine::app::App, http::error::ApiError, operator::scrape};

/// `GET /metrics`: OpenMetrics text.
pub async fn metrics(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let page = scrape::scrape(&app).await?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], page).into_response())
}
