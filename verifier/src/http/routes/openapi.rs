//! The HTTP interface, for programs that write clients.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

/// Held true by `tests/http/openapi.rs`.
const DOCUMENT: &str = include_str!("../../../openapi.json");

/// `GET /openapi.json`: an OpenAPI 3.1 document.
pub async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}
