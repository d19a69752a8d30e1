//! Tells merchants of their payments at the webhooks that they registered, as the operator's webhook is told. One that fails is
//! left alone for a while, so that it holds up no other.

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures_util::future::join_all;
use reqwest::Client;
use tokio::time::{sleep, timeout};
use x402_escrow_domain::webhook::{self, Delivery, Next, Webhook};

use crate::{
    engine::{
        app::App,
        reach::Reach,
        webhook::{Told, tell},
    },
    store::{Changed, DueWebhook, StoreError, WebhookOwner},
};

/// The most webhooks that are told at once.
const WEBHOOKS_AT_ONCE: u32 = 16;

/// The most news that one is told before the next has its turn.
const NEWS_AT_ONCE: u32 = 8;

/// How long a server may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How often to look for what is due, if nothing wakes the task.
const INTERVAL: Duration = Duration::from_secs(5);

/// How long one is left alone after that, in seconds.
const GIVEN_UP_SECONDS: i64 = 3600;

/// Sets a webhook of `owner`, by a request that was signed until then (unix seconds).
///
/// # Errors
/// If the store fails.
pub async fn set(
    app: &App,
    owner: &WebhookOwner,
    url: String,
    signed_until: i64,
) -> Result<(Webhook, Changed), StoreError> {
    let secret = app.session_key.webhook_secret(owner.receiver, owner.authorizer, signed_until);
    let webhook = Webhook { url, secret: secret.to_vec() };
    let changed = app.store.set_merchant_webhook(owner, Some(&webhook), signed_until).await?;
    Ok((webhook, changed))
}

/// Delivers for ever.
pub async fn run(app: Arc<App>) -> Infallible {
    let reach = app.settings.merchant_webhooks;
    if reach == Reach::None {
        return std::future::pending().await;
    }
    let client = reach.client(TIMEOUT);
    let mut progress = app.changes.of_any();
    loop {
        progress.borrow_and_update();
        match deliver_due(&app, reach, &client).await {
            Ok(0) => _ = timeout(INTERVAL, progress.changed()).await,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "can't tell merchants what is due");
                sleep(INTERVAL).await;
            }
        }
    }
}

async fn deliver_due(app: &App, reach: Reach, client: &Client) -> Result<usize, StoreError> {
    let due = app.store.due_merchant_webhooks(app.now(), WEBHOOKS_AT_ONCE).await?;
    let done = join_all(due.iter().map(|webhook| deliver(app, reach, client, webhook))).await;
    done.into_iter().collect::<Result<Vec<()>, _>>()?;
    Ok(due.len())
}

async fn deliver(app: &App, reach: Reach, client: &Client, due: &DueWebhook) -> Result<(), StoreError> {
    let news = app.store.merchant_news(due, NEWS_AT_ONCE).await?;
    let (mut told, mut problem) = (Vec::new(), None);
    for delivery in &news {
        let outcome = match reach.check(&due.webhook.url) {
            Ok(()) => tell(app, client, &due.webhook, delivery).await?,
            Err(reason) => Told::No(reason),
        };
        match outcome {
            Told::Yes | Told::Unreadable => told.push(*delivery),
            Told::No(reason) => {
                problem = Some((delivery, reason));
                break;
            }
        }
    }
    let Some((delivery, reason)) = problem else { return app.store.merchant_told(due, &told, None).await };
    let now = app.now();
    // What it took before it failed begins the count anew.
    let failed = match told.is_empty() {
        true => *delivery,
        false => Delivery { attempts: 0, failing_since: None, ..*delivery },
    };
    match webhook::next(&failed, now) {
        Next::At(at) => {
            tracing::info!(receiver = %due.owner.receiver, attempts = failed.attempts + 1, "not told: {reason}");
            app.store.merchant_told(due, &told, Some((at, failed.failing_since.unwrap_or(now)))).await
        }
        Next::GiveUp => {
            tracing::warn!(receiver = %due.owner.receiver, "given up, after days of trying: {reason}");
            app.store.give_up_merchant(due, now.saturating_add(GIVEN_UP_SECONDS)).await
        }
    }
}
