//! Who asks about a receiver's payments.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::{Method, header, request::Parts},
};
use x402_escrow_domain::books::{Access, COOKIE, SignedRequest};
use x402_escrow_interface::Address;
use x402_escrow_wire::{field::FieldError, merchant_request, text::Key};

use crate::{engine::app::App, http::error::ApiError};

/// A merchant whose signature was checked. Its share of requests is charged.
#[derive(Clone, Debug)]
pub struct Merchant {
    /// What it may see.
    pub access: Access,
    /// The query, without the signature.
    pub query: String,
}

impl FromRequestParts<Arc<App>> for Merchant {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let receiver = receiver(parts, app).await?;
        let query = parts.uri.query().unwrap_or_default();
        let request = SignedRequest {
            method: parts.method.as_str(),
            host: parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default(),
            path: parts.uri.path(),
            query,
        };
        let split = merchant_request::split(query);
        let takes_cookie = split.is_none() && parts.method == Method::GET;
        let session = takes_cookie.then(|| session(parts, app, receiver)).flatten();
        let access = match session {
            Some(access) => access,
            None => Access::check(request, receiver, &app.settings.public_hosts, app.now())
                .map_err(ApiError::unauthorized)?,
        };
        app.limits.count_merchant(access.authorizer.unwrap_or(receiver))?;
        let signed = split.map_or(query, |(signed, _)| signed);
        Ok(Self { access, query: signed.to_owned() })
    }
}

/// What a page's cookie opens.
fn session(parts: &Parts, app: &App, receiver: Address) -> Option<Access> {
    let cookies = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut values = cookies
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    values.find_map(|value| app.session_key.check(value, receiver, app.now()))
}

/// The receiver in the path.
async fn receiver(parts: &mut Parts, app: &Arc<App>) -> Result<Address, ApiError> {
    let wrong = |message| ApiError::bad_field(FieldError { field: "receiver".to_owned(), message });
    let path = RawPathParams::from_request_parts(parts, app).await;
    let path = path.map_err(|error| wrong(error.body_text()))?;
    let text = path.iter().find_map(|(name, value)| (name == "receiver").then_some(value));
    let key: Key = text.unwrap_or_default().parse().map_err(wrong)?;
    Ok(key.into())
}
