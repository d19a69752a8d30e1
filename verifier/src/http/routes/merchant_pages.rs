//! A merchant's payments, for people. A signed link opens them, and a cookie keeps them open for an hour.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Path, Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use x402_escrow_domain::books::{
    Access, COOKIE, Filter, PageParameters, Period, Place, SESSION_SECONDS, Search,
};
use x402_escrow_wire::{field::FieldError, merchant_request, text::Hex32};

use crate::{
    engine::{app::App, books, tokens},
    http::{error::ApiError, html::shown, merchant::Merchant},
    page::{self, Choice, Line, MerchantPage, View},
    store::{Entries, StoreError},
};

/// How many payments a page lists.
const PAYMENTS_PER_PAGE: u32 = 25;

/// How many days the chart has.
const CHART_DAYS: i64 = 30;

/// `GET /merchants/{receiver}`: the payments to a receiver and what they came to.
pub async fn overview(State(app): State<Arc<App>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let merchant = match enter(&app, &mut parts).await {
        Ok(merchant) => merchant,
        Err(response) => return *response,
    };
    let home = home(&merchant.access);
    let parameters = match PageParameters::read(&merchant.query) {
        Ok(parameters) => parameters,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error, Some(&home)),
    };
    match read(&app, &merchant.access, parameters).await {
        Ok(page) => shown(StatusCode::OK, page::merchant(&page)),
        Err(error) => failed(error, &home),
    }
}

/// `GET /merchants/{receiver}/payments/{id}`: one of them.
pub async fn payment(State(app): State<Arc<App>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let merchant = match enter(&app, &mut parts).await {
        Ok(merchant) => merchant,
        Err(response) => return *response,
    };
    let home = home(&merchant.access);
    let path = Path::<(String, String)>::from_request_parts(&mut parts, &app).await;
    let id = path.map_err(|error| error.body_text()).and_then(|Path((_, id))| id.parse::<Hex32>());
    let id = match id {
        Ok(id) => id,
        Err(message) => {
            let error = FieldError { field: "id".to_owned(), message };
            return refused(StatusCode::BAD_REQUEST, &error, Some(&home));
        }
    };
    let known = match app.store.history(&id.0).await {
        Ok(known) => known,
        Err(error) => return failed(error, &home),
    };
    let is_seen = |authorizer| merchant.access.authorizer.is_none_or(|seen| seen == authorizer);
    let known = known.filter(|known| {
        known.payment.receiver == merchant.access.receiver && is_seen(known.payment.receiver_authorizer())
    });
    match known {
        Some(history) => {
            let view = view(&app, home, [history.payment.mint.to_string()]).await;
            shown(StatusCode::OK, page::payment(&history, &view))
        }
        None => {
            let message = format!("No payment {id} to you is known here.");
            shown(StatusCode::NOT_FOUND, page::refusal("No such payment", &message, Some(&home)))
        }
    }
}

/// Who asks. A signed link is answered with a cookie, and leads to the same page without the signature.
async fn enter(app: &Arc<App>, parts: &mut Parts) -> Result<Merchant, Box<Response>> {
    let merchant = Merchant::from_request_parts(parts, app).await.map_err(|error| {
        let (status, message) = (error.status(), error.message().to_owned());
        Box::new(shown(status, page::refusal("This page opens by a signed link", &message, None)))
    })?;
    let is_signed = parts.uri.query().and_then(merchant_request::split).is_some();
    if !is_signed {
        return Ok(merchant);
    }
    let is_local = app.settings.public_hosts.is_empty();
    let value = app.session_key.issue(&merchant.access, app.now());
    // A browser sends it only over HTTPS, but on this machine, where there is none.
    let secure = if is_local { "" } else { "; Secure" };
    let cookie = format!(
        "{COOKIE}={value}; Path=/merchants/{}; Max-Age={SESSION_SECONDS}; HttpOnly; SameSite=Lax{secure}",
        merchant.access.receiver
    );
    let mut response = Redirect::to(parts.uri.path()).into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Err(Box::new(response))
}

async fn read(app: &App, access: &Access, asked: PageParameters) -> Result<MerchantPage, StoreError> {
    let (now, receiver) = (app.now(), &access.receiver);
    let filter =
        Filter { receiver_authorizer: access.authorizer, outcome: asked.outcome, ..Filter::default() };
    let search = Search::read(&asked.search);
    let place = asked.before.unwrap_or(Place::END);
    let Entries { entries, next } =
        books::find(app, Some(receiver), search.as_ref(), filter, &place, PAYMENTS_PER_PAGE).await?;
    let known = books::with_histories(app, entries).await?;
    let lines: Vec<_> = known.into_iter().map(|(entry, history)| Line::of(entry, &history)).collect();
    let period = Period::until(now, CHART_DAYS);
    let days = app.store.day_totals(Some(receiver), access.authorizer.as_ref(), period).await?;
    let mints = lines.iter().map(Line::mint).chain(days.iter().map(|day| day.mint.to_string()));
    let view = view(app, home(access), mints.collect::<Vec<_>>()).await;
    let choice = Choice { search: asked.search, outcome: asked.outcome };
    Ok(MerchantPage { access: *access, now, choice, before: asked.before, lines, next, days, period, view })
}

async fn view(app: &App, home: String, mints: impl IntoIterator<Item = String>) -> View {
    let tokens = tokens::describe(app, mints).await;
    View { home, network: app.rules.network.clone(), decimals: tokens.decimals, symbols: tokens.symbols }
}

fn home(access: &Access) -> String {
    format!("/merchants/{}", access.receiver)
}

fn refused(status: StatusCode, error: &FieldError, home: Option<&str>) -> Response {
    shown(status, page::refusal("That can't be shown", &format!("{error}."), home))
}

fn failed(error: StoreError, home: &str) -> Response {
    let status = ApiError::from(error).status();
    let message = "The verifier's database can't be read; try again.";
    shown(status, page::refusal("The verifier failed", message, Some(home)))
}
