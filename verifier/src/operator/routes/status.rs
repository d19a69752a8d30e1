//! What came in, how final it is, and what is stuck, for people.

use std::sync::Arc;

use axum::{
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use x402_escrow_domain::{books::Place, payment::Outcome};
use x402_escrow_wire::text::{Hex32, Key};

use crate::{
    engine::app::App,
    http::{error::ApiError, html::shown},
    operator::status::{self, DAYS, Question},
    page::{self, Choice},
    store::StoreError,
};

/// The query, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    receiver: String,
    days: String,
    before: String,
    search: String,
    outcome: String,
}

/// `GET /status`: the payments of all receivers, or with `receiver` of one.
pub async fn overview(State(app): State<Arc<App>>, asked: Result<Query<Asked>, QueryRejection>) -> Response {
    let question = asked.map_err(|rejection| rejection.body_text()).and_then(|Query(asked)| read(&asked));
    let question = match question {
        Ok(question) => question,
        Err(message) => return refuse(StatusCode::BAD_REQUEST, "That can't be shown", &message),
    };
    match status::read(&app, question).await {
        Ok(overview) => shown(StatusCode::OK, status::overview(&overview)),
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
            let view = status::view(&app, [history.payment.mint.to_string()]).await;
            shown(StatusCode::OK, page::payment(&history, &view))
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
        text => text.parse::<Place>().map_err(|message| format!("before: {message}."))?,
    };
    let outcome = match asked.outcome.as_str() {
        "" => None,
        text => Some(text.parse::<Outcome>().map_err(|message| format!("outcome: {message}."))?),
    };
    let choice = Choice { search: asked.search.clone(), outcome };
    Ok(Question { receiver, days, choice, before })
}

fn refuse(status: StatusCode, title: &str, message: &str) -> Response {
    shown(status, page::refusal(title, message, Some("/status")))
}

fn failed(error: StoreError) -> Response {
    let status = ApiError::from(error).status();
    refuse(status, "The verifier failed", "The database can't be read; the verifier's log says why.")
}
