//! Tells a merchant's server of payments as they get further, signed, and again until it has them: Standard Webhooks 1.0
//! (<https://www.standardwebhooks.com>). What is still to be told is in the store.

use std::{convert::Infallible, fmt, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::future::join_all;
use hmac::{Hmac, Mac};
use reqwest::{Client, redirect};
use serde::Serialize;
use sha2::Sha256;
use tokio::time::{sleep, timeout};

use crate::{
    app::{App, unix_now},
    known::{self, PaymentReport},
    store::{Delivery, StoreError},
};

/// Where news go to, and how they are signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The server's address.
    pub url: String,
    /// The key of the signatures, which the server has too.
    pub secret: Vec<u8>,
}

/// The most deliveries that are under way at once.
const DELIVERIES_AT_ONCE: u32 = 16;

/// How long the server may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How often to look for what is due, if nothing wakes the task.
const INTERVAL: Duration = Duration::from_secs(5);

/// Before the second attempt; doubled for each further one.
const FIRST_PAUSE_SECONDS: i64 = 5;

/// The longest pause between attempts.
const LONGEST_PAUSE_SECONDS: i64 = 3600;

/// How long a server may be away before news are given up.
const GIVE_UP_AFTER_SECONDS: i64 = 3 * 86_400;

/// What is sent.
#[derive(Debug, Serialize)]
struct Message {
    #[serde(rename = "type")]
    kind: &'static str,
    /// When it is sent, unix seconds.
    timestamp: i64,
    data: PaymentReport,
}

/// What is to be done after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Another attempt at this time (unix seconds).
    At(i64),
    GiveUp,
}

/// Delivers for ever.
pub async fn run(app: Arc<App>, webhook: Webhook) -> Infallible {
    // A redirect would take a signed message elsewhere.
    let client = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).build();
    let client = client.unwrap_or_else(|error| unreachable!("these settings are sound: {error}"));
    let mut progress = app.progress.subscribe();
    loop {
        progress.borrow_and_update();
        match deliver_due(&app, &webhook, &client).await {
            Ok(0) => _ = timeout(INTERVAL, progress.changed()).await,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "can't look for news to deliver");
                sleep(INTERVAL).await;
            }
        }
    }
}

/// Delivers what is due. Returns how much that was.
async fn deliver_due(app: &App, webhook: &Webhook, client: &Client) -> Result<usize, StoreError> {
    let due = app.store.due_deliveries(unix_now(), DELIVERIES_AT_ONCE).await?;
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
    let payment = delivery.payment_id;
    let Some(known) = known::payment(app, &payment.0).await? else {
        return app.store.delivered(delivery).await;
    };
    let now = unix_now();
    let body = serde_json::to_string(&Message { kind: "payment", timestamp: now, data: known.report });
    let body = body.unwrap_or_else(|error| unreachable!("a report is JSON: {error}"));
    // The same for every attempt at the same news, so that the server can tell.
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
    let problem = match answer {
        Ok(answer) if answer.status().is_success() => return app.store.delivered(delivery).await,
        Ok(answer) => format!("it answered with status {}", answer.status().as_u16()),
        Err(error) if error.is_timeout() => "it did not answer in time".to_owned(),
        Err(_) => "it can't be reached".to_owned(),
    };
    match next(delivery, now) {
        Next::At(due_at) => {
            tracing::info!(%payment, attempts = delivery.attempts + 1, "news not delivered: {problem}");
            app.store.not_delivered(delivery, now, due_at).await
        }
        Next::GiveUp => {
            tracing::error!(%payment, "news given up, after days of trying: {problem}");
            app.store.delivered(delivery).await
        }
    }
}

fn next(delivery: &Delivery, now: i64) -> Next {
    if delivery.failing_since.is_some_and(|since| now.saturating_sub(since) > GIVE_UP_AFTER_SECONDS) {
        return Next::GiveUp;
    }
    let doubled = delivery.attempts.clamp(0, 20);
    let pause = (FIRST_PAUSE_SECONDS << doubled).min(LONGEST_PAUSE_SECONDS);
    Next::At(now.saturating_add(pause))
}

impl Webhook {
    /// The `webhook-signature` header: HMAC-SHA256 of id, time and body.
    fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(&self.secret);
        let mut mac = mac.unwrap_or_else(|error| unreachable!("any length is a key: {error}"));
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Webhook").field("url", &"…").field("secret", &"…").finish()
    }
}

#[cfg(test)]
mod tests {
    use x402_escrow_wire::text::Hex32;

    use super::*;

    #[test]
    fn signature_is_that_of_the_standards_example() {
        // https://github.com/standard-webhooks/standard-webhooks, "Webhook signature".
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let webhook = Webhook { url: String::new(), secret };
        let body = "{\"test\": 2432232314}";
        let signature = webhook.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn pauses_double_up_to_an_hour_and_after_three_days_it_is_given_up() {
        let after = |attempts| {
            let failing_since = (attempts > 0).then_some(0);
            next(&Delivery { payment_id: Hex32([0; 32]), version: 1, attempts, failing_since }, 1000)
        };
        assert_eq!([0, 1, 2, 9].map(after), [5, 10, 20, 2560].map(|pause| Next::At(1000 + pause)));
        assert_eq!([10, 11, 1000, i64::MAX].map(after), [Next::At(4600); 4]);
        let old = Delivery { payment_id: Hex32([0; 32]), version: 1, attempts: 80, failing_since: Some(0) };
        assert_eq!(next(&old, 3 * 86_400), Next::At(3 * 86_400 + 3600));
        assert_eq!(next(&old, 3 * 86_400 + 1), Next::GiveUp);
    }
}
