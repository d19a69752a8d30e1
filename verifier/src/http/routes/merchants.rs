//! A merchant's own payments, on any verifier: listed, and summed up.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use x402_escrow_domain::books::{self, Entry, EntryReport, Filter, Page, Period, TotalsReport};

use crate::{
    engine::{app::App, books::find},
    http::{error::ApiError, merchant::Merchant},
    store::Entries,
};

/// Where CSV goes on, as the parameter `before` takes it.
const NEXT: HeaderName = HeaderName::from_static("x402-next");

/// A page of payments.
#[derive(Debug, Serialize)]
struct Payments {
    payments: Vec<EntryReport>,
    /// Where to go on, as the parameter `before` takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /merchants/{receiver}/payments`: the payments to a receiver, newest first.
pub async fn payments(State(app): State<Arc<App>>, merchant: Merchant) -> Result<Response, ApiError> {
    let page = Page::read(&merchant.query).map_err(ApiError::bad_field)?;
    let filter = Filter { receiver_authorizer: merchant.access.authorizer, ..page.filter };
    let receiver = merchant.access.receiver;
    let Entries { entries, next } =
        find(&app, Some(&receiver), None, filter, &page.before, page.limit).await?;
    let next = next.map(|place| place.to_string());
    let symbol = |entry: &Entry| app.rules.tokens.symbol(&app.rules.network, &entry.mint);
    if page.is_csv {
        let lines = entries.iter().map(|entry| books::line(entry, symbol(entry)));
        let text = std::iter::once(books::HEADER.to_owned()).chain(lines).collect::<String>();
        let headers = [
            (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
            (header::CONTENT_DISPOSITION, "attachment; filename=\"payments.csv\""),
            (header::CACHE_CONTROL, "no-store"),
        ];
        let mut response = (headers, text).into_response();
        if let Some(next) = next.and_then(|next| HeaderValue::from_str(&next).ok()) {
            response.headers_mut().insert(NEXT, next);
        }
        return Ok(response);
    }
    let payments = entries.iter().map(|entry| entry.report(symbol(entry))).collect();
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(Payments { payments, next })).into_response())
}

/// `GET /merchants/{receiver}/totals`: what the payments to a receiver came to, by token and by day of UTC.
pub async fn totals(State(app): State<Arc<App>>, merchant: Merchant) -> Result<Response, ApiError> {
    let period = Period::read(&merchant.query, app.now()).map_err(ApiError::bad_field)?;
    let access = merchant.access;
    let days = app.store.day_totals(Some(&access.receiver), access.authorizer.as_ref(), period).await?;
    let report = TotalsReport::of(&days, |mint| app.rules.tokens.symbol(&app.rules.network, mint));
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(report)).into_response())
}
