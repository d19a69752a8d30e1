//! What can be bought through this verifier, as far as somebody did.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use x402_escrow_wire::{
    X402_VERSION,
    bazaar::{DiscoveryResource, DiscoveryResources, EXTENSION, Pagination},
    field::FieldError,
    text::Key,
};

use crate::{
    engine::{app::App, discovery},
    http::error::ApiError,
    store::Wanted,
};

/// How many are answered where the client does not say.
const DEFAULT_LIMIT: u32 = 20;

/// The most that are answered.
const MAXIMUM_LIMIT: u32 = 100;

/// Which resources a client asks for: the parameters of x402's `bazaar`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parameters {
    #[serde(rename = "type")]
    kind: Option<String>,
    pay_to: Option<Key>,
    scheme: Option<String>,
    network: Option<String>,
    extensions: Option<String>,
    limit: Option<u32>,
    offset: Option<u32>,
}

/// `GET /discovery/resources`: what was paid for in the last 30 days, the last first.
pub async fn resources(
    State(app): State<Arc<App>>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Json<DiscoveryResources>, ApiError> {
    let Query(asked) = parameters.map_err(|error| {
        ApiError::bad_field(FieldError { field: "query".to_owned(), message: error.body_text() })
    })?;
    let (limit, offset) =
        (asked.limit.unwrap_or(DEFAULT_LIMIT).min(MAXIMUM_LIMIT), asked.offset.unwrap_or(0));
    let is_elsewhere = asked.network.is_some_and(|network| network != app.rules.network)
        || asked.extensions.is_some_and(|extension| extension != EXTENSION);
    let (found, total) = if is_elsewhere {
        (Vec::new(), 0)
    } else {
        let receiver = asked.pay_to.map(Into::into);
        let wanted = Wanted { kind: asked.kind, receiver, scheme: asked.scheme, since: 0 };
        discovery::list(&app, wanted, limit, offset).await?
    };
    let items =
        found.into_iter().map(|(resource, at)| DiscoveryResource { last_updated: rfc_3339(at), ..resource });
    Ok(Json(DiscoveryResources {
        x402_version: X402_VERSION,
        items: items.collect(),
        pagination: Pagination { limit: limit.into(), offset: offset.into(), total },
    }))
}

fn rfc_3339(seconds: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(&Rfc3339).ok()
}
