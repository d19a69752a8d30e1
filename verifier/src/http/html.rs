//! Answers pages for people.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{http::error::HTML, page};

/// Answers a page: nobody keeps it, it loads nothing, and it tells nobody where it was.
pub fn shown(status: StatusCode, page: impl Into<String>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HTML.to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::CONTENT_SECURITY_POLICY, page::content_security_policy()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    (status, headers, page.into()).into_response()
}
