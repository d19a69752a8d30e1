//! Where merchants want to hear of their payments, and what they were not told yet.

use sqlx::any::AnyRow;
use x402_escrow_domain::webhook::{Delivery, Webhook};
use x402_escrow_interface::Address;
use x402_escrow_wire::text::Key;

use super::{Store, StoreError, row};

/// From so many on, only who was paid here gets another: keys cost nothing.
const MAXIMUM_UNPAID: u64 = 10_000;

/// Whose a webhook is: of a receiver, who hears of all, or of one of its authorizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookOwner {
    /// Who is paid.
    pub receiver: Address,
    /// Who may sign for some of the payments.
    pub authorizer: Option<Address>,
}

/// A webhook with news.
#[derive(Clone, Debug)]
pub struct DueWebhook {
    /// Whose.
    pub owner: WebhookOwner,
    /// Where it is.
    pub webhook: Webhook,
    /// How often it failed since it last took something.
    pub attempts: i64,
    /// Since when, unix seconds.
    pub failing_since: Option<i64>,
}

/// What became of a request to change a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is as asked.
    Done,
    /// A request that was signed for longer came before.
    Outdated,
    /// There is no room for who was not paid here.
    Full,
}

impl WebhookOwner {
    fn columns(&self) -> [String; 2] {
        let authorizer = self.authorizer.map(|authorizer| authorizer.to_string());
        [self.receiver.to_string(), authorizer.unwrap_or_default()]
    }

    fn read(found: &AnyRow) -> Result<Self, StoreError> {
        let authorizer = match row::get::<&str>(found, "receiver_authorizer")? {
            "" => None,
            _ => Some(row::parse::<Key>(found, "receiver_authorizer")?.into()),
        };
        Ok(Self { receiver: row::parse::<Key>(found, "receiver")?.into(), authorizer })
    }
}

impl Store {
    /// Sets a webhook, or takes it back, unless a request that expires no earlier came before, or there is no room.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn set_merchant_webhook(
        &self,
        owner: &WebhookOwner,
        webhook: Option<&Webhook>,
        signed_until: i64,
    ) -> Result<Changed, StoreError> {
        let [receiver, authorizer] = owner.columns();
        let mut transaction = self.begin_write().await?;
        let counted = sqlx::query(
            "SELECT count(*) AS webhooks,
                 (SELECT count(*) FROM merchant_webhooks WHERE receiver = $1 AND receiver_authorizer = $2) AS own,
                 (SELECT count(*) FROM (
                     SELECT 1 FROM day_totals WHERE receiver = $1 AND receiver_authorizer = $2 LIMIT 1
                 ) AS paid) AS paid
             FROM (SELECT 1 FROM merchant_webhooks LIMIT $3) AS counted",
        )
        .bind(&receiver)
        .bind(&authorizer)
        .bind(MAXIMUM_UNPAID.cast_signed())
        .fetch_one(&mut *transaction)
        .await?;
        let is_new = row::get::<i64>(&counted, "own")? == 0 && row::get::<i64>(&counted, "paid")? == 0;
        if is_new && row::get_u64(&counted, "webhooks")? >= MAXIMUM_UNPAID {
            return Ok(Changed::Full);
        }
        let changed = sqlx::query(
            "INSERT INTO merchant_webhooks (receiver, receiver_authorizer, url, secret, signed_until)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (receiver, receiver_authorizer) DO UPDATE
             SET url = excluded.url, secret = excluded.secret, signed_until = excluded.signed_until, has_news = 0,
                 due_at = 0, attempts = 0, failing_since = NULL
             WHERE merchant_webhooks.signed_until < excluded.signed_until",
        )
        .bind(&receiver)
        .bind(&authorizer)
        .bind(webhook.map(|webhook| webhook.url.clone()))
        .bind(webhook.map(|webhook| webhook.secret.clone()))
        .bind(signed_until)
        .execute(&mut *transaction)
        .await?;
        if changed.rows_affected() == 0 {
            return Ok(Changed::Outdated);
        }
        sqlx::query("DELETE FROM merchant_news WHERE receiver = $1 AND receiver_authorizer = $2")
            .bind(receiver)
            .bind(authorizer)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Changed::Done)
    }

    /// A webhook's URL and since when it fails; `None` without a webhook.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn merchant_webhook(
        &self,
        owner: &WebhookOwner,
    ) -> Result<Option<(String, Option<i64>)>, StoreError> {
        let [receiver, authorizer] = owner.columns();
        let found = sqlx::query(
            "SELECT url, failing_since FROM merchant_webhooks
             WHERE receiver = $1 AND receiver_authorizer = $2 AND url IS NOT NULL",
        )
        .bind(receiver)
        .bind(authorizer)
        .fetch_optional(&mut *self.pool.acquire().await?)
        .await?;
        found.map(|found| Ok((row::get(&found, "url")?, row::get(&found, "failing_since")?))).transpose()
    }

    /// At most `count` webhooks that have news and are to be tried at `now` (unix seconds).
    ///
    /// # Errors
    /// If the store fails.
    pub async fn due_merchant_webhooks(&self, now: i64, count: u32) -> Result<Vec<DueWebhook>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM merchant_webhooks WHERE has_news = 1 AND due_at <= $1 ORDER BY due_at LIMIT $2",
        )
        .bind(now)
        .bind(i64::from(count))
        .fetch_all(&mut *self.pool.acquire().await?)
        .await?;
        let due = |found: &AnyRow| {
            Ok(DueWebhook {
                owner: WebhookOwner::read(found)?,
                webhook: Webhook {
                    url: row::get(found, "url")?,
                    secret: row::get::<&[u8]>(found, "secret")?.to_vec(),
                },
                attempts: row::get(found, "attempts")?,
                failing_since: row::get(found, "failing_since")?,
            })
        };
        rows.iter().map(due).collect()
    }

    /// At most `count` news of a webhook.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn merchant_news(&self, due: &DueWebhook, count: u32) -> Result<Vec<Delivery>, StoreError> {
        let [receiver, authorizer] = due.owner.columns();
        let rows = sqlx::query(
            "SELECT payment_id, version FROM merchant_news
             WHERE receiver = $1 AND receiver_authorizer = $2 AND is_due = 1 ORDER BY payment_id LIMIT $3",
        )
        .bind(receiver)
        .bind(authorizer)
        .bind(i64::from(count))
        .fetch_all(&mut *self.pool.acquire().await?)
        .await?;
        let news = |found: &AnyRow| {
            Ok(Delivery {
                payment_id: row::parse(found, "payment_id")?,
                version: row::get(found, "version")?,
                attempts: due.attempts,
                failing_since: due.failing_since,
            })
        };
        rows.iter().map(news).collect()
    }

    /// Takes down what a webhook has now, unless there is other news of it. If it did not take the next, it is tried again at
    /// `retry_at`, unix seconds; it fails since `failing_since`.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn merchant_told(
        &self,
        due: &DueWebhook,
        told: &[Delivery],
        retry: Option<(i64, i64)>,
    ) -> Result<(), StoreError> {
        let [receiver, authorizer] = due.owner.columns();
        let mut transaction = self.begin_leader_write().await?;
        for news in told {
            sqlx::query(
                "UPDATE merchant_news SET is_due = 0
                 WHERE receiver = $1 AND receiver_authorizer = $2 AND payment_id = $3 AND version = $4",
            )
            .bind(&receiver)
            .bind(&authorizer)
            .bind(news.payment_id.to_string())
            .bind(news.version)
            .execute(&mut *transaction)
            .await?;
        }
        let attempts = match retry {
            Some(_) if told.is_empty() => due.attempts.saturating_add(1),
            Some(_) => 1,
            None => 0,
        };
        sqlx::query(
            "UPDATE merchant_webhooks SET attempts = $1, due_at = $2, failing_since = $3, has_news = CASE WHEN EXISTS (
                 SELECT 1 FROM merchant_news
                 WHERE receiver = $4 AND receiver_authorizer = $5 AND is_due = 1
             ) THEN 1 ELSE 0 END
             WHERE receiver = $4 AND receiver_authorizer = $5 AND url IS NOT NULL",
        )
        .bind(attempts)
        .bind(retry.map_or(0, |(at, _)| at))
        .bind(retry.map(|(_, since)| since))
        .bind(&receiver)
        .bind(&authorizer)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Gives up all news of a webhook, which is not tried again before `due_at`, unix seconds.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn give_up_merchant(&self, due: &DueWebhook, due_at: i64) -> Result<(), StoreError> {
        let [receiver, authorizer] = due.owner.columns();
        let mut transaction = self.begin_leader_write().await?;
        sqlx::query(
            "UPDATE merchant_news SET is_due = 0 WHERE receiver = $1 AND receiver_authorizer = $2 AND is_due = 1",
        )
        .bind(&receiver)
        .bind(&authorizer)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "UPDATE merchant_webhooks SET has_news = 0, due_at = $3 WHERE receiver = $1 AND receiver_authorizer = $2",
        )
        .bind(receiver)
        .bind(authorizer)
        .bind(due_at)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }
}
