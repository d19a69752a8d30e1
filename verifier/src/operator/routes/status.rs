//! What came in, how final it is, and what is stuck, for people.

use std::sync::Arc;

use axum::{
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use maud::Markup;
use serde::Deserialize;
use x402_escrow_wire::text::{Hex32, Key};

use crate::{
    engine::app::App,
    http::error::{ApiError, HTML},
    operator::status::{self, DAYS, Question},
    store::{Place, StoreError},
};

/// The query, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    receiver: String,
    days: String,
    before: String,
}

/// `GET /status`: the payments of all receivers, or with `receiver` of one.
pub async fn overview(State(app): State<Arc<App>>, asked: Result<Query<Asked>, QueryRejection>) -> Response {
    let question = asked.map_err(|rejection| rejection.body_text()).and_then(|Query(asked)| read(&asked));
    let question = match question {
        Ok(question) => question,
        Err(message) => return refuse(StatusCode::BAD_REQUEST, "That can't be shown", &message),
    };
    match status::read(&app, question).await {
        Ok(overview) => page(StatusCode::OK, &status::overview(&overview)),
        Err(error) => failed(error),
    }
}

/// `GET /status/payments/{id}`: one payment, with all that was asked for and every transaction.
pub async fn payment(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    let id: Hex32 = match id.parse() {
        Ok(id) => id,
        Err(message) => {
            return refuse(StatusCode::BAD_REQUEST, "That is no payment id", &format!("{id:?}: {message}."));
        }
    };
    match app.store.history(&id.0).await {
        Ok(Some(history)) => {
            let decimals = status::decimals(&app, [history.payment.mint.to_string()]).await;
            page(StatusCode::OK, &status::payment(&history, &decimals))
        }
        Ok(None) => {
            let message = format!("No payment {id} is known here.");
            refuse(StatusCode::NOT_FOUND, "No such payment", &message)
        }
        Err(error) => failed(error),
    }
}

fn read(asked: &Asked) -> Result<Question, String> {
    let receiver = match asked.receiver.trim() {
        "" => None,
        text => {
            let key: Key = text.parse().map_err(|message| {
                format!("receiver: {text:?} is no address: {message}, as a wallet shows it.")
            })?;
            Some(key.into())
        }
    };
    let days = match asked.days.as_str() {
        "" => DAYS[0],
        text => text
            .parse()
            .ok()
            .filter(|days| DAYS.contains(days))
            .ok_or_else(|| format!("days: must be one of {DAYS:?}, is {text:?}."))?,
    };
    let before = match asked.before.as_str() {
        "" => Place::END,
        text => read_place(text).ok_or_else(|| {
            format!("before: must be a payment's unix second, a hyphen and its id, is {text:?}.")
        })?,
    };
    Ok(Question { receiver, days, before })
}

fn read_place(text: &str) -> Option<Place> {
    let (accepted_at, id) = text.split_once('-')?;
    Some(Place { accepted_at: accepted_at.parse().ok()?, id: id.parse::<Hex32>().ok()?.0 })
}

fn refuse(status: StatusCode, title: &str, message: &str) -> Response {
    page(status, &status::refusal(title, message))
}

fn failed(error: StoreError) -> Response {
    let status = ApiError::from(error).into_response().status();
    refuse(status, "The verifier failed", "The database can't be read; the verifier's log says why.")
}

fn page(status: StatusCode, markup: &Markup) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HTML.to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::CONTENT_SECURITY_POLICY, status::content_security_policy()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    (status, headers, markup.clone().into_string()).into_response()
}
