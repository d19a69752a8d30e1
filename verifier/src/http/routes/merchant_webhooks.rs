//! Where a merchant wants to hear of its payments.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Serialize;
use serde_json::json;
use x402_escrow_domain::books::webhook_url;
use x402_escrow_wire::field::FieldError;

use crate::{
    engine::{app::App, merchant_webhooks},
    http::{error::ApiError, merchant::Merchant},
    store::{Changed, WebhookOwner},
};

/// A webhook.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    url: String,
    /// Told once, when it is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<i64>,
}

/// `PUT /merchants/{receiver}/webhook`: sets it, and tells the secret that signs the news.
pub async fn set(State(app): State<Arc<App>>, merchant: Merchant) -> Result<Response, ApiError> {
    let url = webhook_url(&merchant.query).map_err(ApiError::bad_field)?;
    let refused = |message| ApiError::bad_field(FieldError { field: "url".to_owned(), message });
    app.settings.merchant_webhooks.check(&url).map_err(refused)?;
    let (webhook, changed) =
        merchant_webhooks::set(&app, &owner(&merchant), url, merchant.access.expires).await?;
    done(changed)?;
    let secret = Some(format!("whsec_{}", BASE64_STANDARD.encode(webhook.secret)));
    Ok(answer(Shown { url: webhook.url, secret, failing_since: None }))
}

/// `GET /merchants/{receiver}/webhook`: where it is, and since when it fails.
pub async fn show(State(app): State<Arc<App>>, merchant: Merchant) -> Result<Response, ApiError> {
    match app.store.merchant_webhook(&owner(&merchant)).await? {
        Some((url, failing_since)) => Ok(answer(Shown { url, secret: None, failing_since })),
        None => {
            Err(ApiError::new(StatusCode::NOT_FOUND, "webhook_not_found", "no webhook is set for this key"))
        }
    }
}

/// `DELETE /merchants/{receiver}/webhook`: takes it back, with all that it was not told.
pub async fn remove(State(app): State<Arc<App>>, merchant: Merchant) -> Result<Response, ApiError> {
    done(app.store.set_merchant_webhook(&owner(&merchant), None, merchant.access.expires).await?)?;
    Ok(answer(json!({})))
}

fn done(changed: Changed) -> Result<(), ApiError> {
    let message = match changed {
        Changed::Done => return Ok(()),
        Changed::Outdated => {
            "expires: a request that expires no earlier changed this webhook already; sign it again"
        }
        Changed::Full => "there is no room for webhooks of keys by which nobody was paid here yet",
    };
    Err(ApiError::new(StatusCode::CONFLICT, "webhook_not_changed", message))
}

fn owner(merchant: &Merchant) -> WebhookOwner {
    WebhookOwner { receiver: merchant.access.receiver, authorizer: merchant.access.authorizer }
}

fn answer(body: impl Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
