//! Tells a merchant's server of payments as they get further, signed, and again until it has them: Standard Webhooks 1.0
//! (<https://www.standardwebhooks.com>). What is still to be told is in the store.

use std::{convert::Infallible, error::Error, sync::Arc, time::Duration};

use futures_util::future::join_all;
use reqwest::{Client, ClientBuilder, redirect};
use serde::Serialize;
use tokio::time::{sleep, timeout};
use x402_escrow_domain::{
    report::{self, PaymentReport},
    webhook::{Delivery, Next, Webhook, next},
};

use crate::{engine::app::App, store::StoreError};

/// The most deliveries that are under way at once.
const DELIVERIES_AT_ONCE: u32 = 16;

/// How long the server may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How often to look for what is due, if nothing wakes the task.
const INTERVAL: Duration = Duration::from_secs(5);

/// What is sent.
#[derive(Debug, Serialize)]
struct Message {
    #[serde(rename = "type")]
    kind: &'static str,
    /// When it is sent, unix seconds.
    timestamp: i64,
    data: PaymentReport,
}

/// How long a payment waits that can't be read.
const UNREADABLE_PAUSE_SECONDS: i64 = 600;

/// Settings of the client that delivers.
pub fn client_builder() -> ClientBuilder {
    // A redirect would take a signed message elsewhere.
    Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none())
}

/// Delivers for ever.
pub async fn run(app: Arc<App>, webhook: Webhook) -> Infallible {
    let client = client_builder().build();
    let client = client.unwrap_or_else(|error| unreachable!("these settings are sound: {error}"));
    let mut progress = app.changes.of_any();
    loop {
        progress.borrow_and_update();
        match deliver_due(&app, &webhook, &client).await {
            Ok(0) => _ = timeout(INTERVAL, progress.changed()).await,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "can't look for what is to be delivered");
                sleep(INTERVAL).await;
            }
        }
    }
}

/// Delivers what is due. Returns how much that was.
async fn deliver_due(app: &App, webhook: &Webhook, client: &Client) -> Result<usize, StoreError> {
    let due = app.store.due_deliveries(app.now(), DELIVERIES_AT_ONCE).await?;
    let done = join_all(due.iter().map(|delivery| deliver(app, webhook, client, delivery))).await;
    done.into_iter().collect::<Result<Vec<()>, _>>()?;
    Ok(due.len())
}

async fn deliver(
    app: &App,
    webhook: &Webhook,
    client: &Client,
    delivery: &Delivery,
) -> Result<(), StoreError> {
    let (payment, now) = (delivery.payment_id, app.now());
    let problem = match tell(app, client, webhook, delivery).await? {
        Told::Yes => return app.store.delivered(delivery).await,
        Told::Unreadable => {
            let due_at = now.saturating_add(UNREADABLE_PAUSE_SECONDS);
            return app.store.not_delivered(delivery, now, due_at).await;
        }
        Told::No(problem) => problem,
    };
    match next(delivery, now) {
        Next::At(due_at) => {
            tracing::info!(%payment, attempts = delivery.attempts + 1, "not delivered: {problem}");
            app.store.not_delivered(delivery, now, due_at).await
        }
        Next::GiveUp => {
            tracing::error!(%payment, "given up, after days of trying: {problem}");
            app.store.delivered(delivery).await
        }
    }
}

/// What became of news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The server has it, or there is nothing to tell.
    Yes,
    /// The payment can't be read. The log says why.
    Unreadable,
    /// The server did not take it, and why.
    No(String),
}

/// Tells a server how a payment is now.
///
/// # Errors
/// If the store fails.
pub async fn tell(
    app: &App,
    client: &Client,
    webhook: &Webhook,
    delivery: &Delivery,
) -> Result<Told, StoreError> {
    let (payment, now) = (delivery.payment_id, app.now());
    let history = match app.store.history(&payment.0).await {
        Ok(Some(history)) => history,
        Ok(None) => return Ok(Told::Yes),
        Err(error) if error.is_of_row() => {
            tracing::error!(%payment, %error, "not delivered");
            return Ok(Told::Unreadable);
        }
        Err(error) => return Err(error),
    };
    let body = serde_json::to_string(&Message {
        kind: "payment",
        timestamp: now,
        data: report::payment(&app.rules.network, &history),
    });
    let body = body.unwrap_or_else(|error| unreachable!("a report is JSON: {error}"));
    // The same for every attempt at the same change, so that the server can tell.
    let id = format!("{payment}.{}", delivery.version);
    let answer = client
        .post(&webhook.url)
        .header("content-type", "application/json")
        .header("webhook-id", &id)
        .header("webhook-timestamp", now)
        .header("webhook-signature", webhook.sign(&id, now, &body))
        .body(body)
        .send()
        .await;
    Ok(match answer {
        Ok(answer) if answer.status().is_success() => Told::Yes,
        Ok(answer) => Told::No(format!("it answered with status {}", answer.status().as_u16())),
        Err(error) if error.is_timeout() => Told::No("it did not answer in time".to_owned()),
        Err(error) => Told::No(format!("it can't be reached: {}", innermost(&error))),
    })
}

/// The reason that is at the bottom of an error: those above it name the URL, which may have a secret.
fn innermost(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}
