//! What a webhook does not have yet.

use x402_escrow_domain::webhook::Delivery;

use super::{Store, StoreError, row};

impl Store {
    /// Takes down news for a webhook from now on, or forgets them.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn keep_news(&self, keep: bool) -> Result<(), StoreError> {
        let mut transaction = self.begin_write().await?;
        if keep {
            sqlx::query("INSERT INTO webhook (id) VALUES (1) ON CONFLICT (id) DO NOTHING")
                .execute(&mut *transaction)
                .await?;
        } else {
            sqlx::query("DELETE FROM webhook").execute(&mut *transaction).await?;
            sqlx::query("DELETE FROM webhook_deliveries").execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The deliveries that are due at `now` (unix seconds), at most `count`.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn due_deliveries(&self, now: i64, count: u32) -> Result<Vec<Delivery>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM webhook_deliveries WHERE due_at <= $1 ORDER BY due_at LIMIT $2")
                .bind(now)
                .bind(i64::from(count))
                .fetch_all(&mut *self.pool.acquire().await?)
                .await?;
        let delivery = |row| -> Result<Delivery, StoreError> {
            Ok(Delivery {
                payment_id: row::parse(row, "payment_id")?,
                version: row::get(row, "version")?,
                attempts: row::get(row, "attempts")?,
                failing_since: row::get(row, "failing_since")?,
            })
        };
        // One that can't be read is left, so that the others are delivered.
        Ok(rows.iter().map(delivery).filter_map(Result::ok).collect())
    }

    /// Takes down that the webhook has it, unless there is other news by now.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn delivered(&self, delivery: &Delivery) -> Result<(), StoreError> {
        sqlx::query("UPDATE webhook_deliveries SET due_at = NULL WHERE payment_id = $1 AND version = $2")
            .bind(delivery.payment_id.to_string())
            .bind(delivery.version)
            .execute(&mut *self.pool.acquire().await?)
            .await?;
        Ok(())
    }

    /// Counts a failed attempt at `now`, and puts the next off until `due_at` (unix seconds), unless there is other news
    /// by now.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn not_delivered(&self, delivery: &Delivery, now: i64, due_at: i64) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE webhook_deliveries
             SET attempts = attempts + 1, due_at = $1, failing_since = coalesce(failing_since, $2)
             WHERE payment_id = $3 AND version = $4",
        )
        .bind(due_at)
        .bind(now)
        .bind(delivery.payment_id.to_string())
        .bind(delivery.version)
        .execute(&mut *self.pool.acquire().await?)
        .await?;
        Ok(())
    }
}
