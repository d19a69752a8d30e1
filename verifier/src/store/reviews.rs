//! Payments that are to be looked at, since something may be left to do that nobody asked for.

use sqlx::AnyConnection;
use x402_escrow_domain::{
    decision::Begin,
    payment::{Action, History},
};
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::{auth_capture::Level, text::Hex32};

use super::{Readable, Store, StoreError, UnreadableRow, histories, operations, payments, row};

/// How many payments are reviewed in one step.
const REVIEWED_TOGETHER: i64 = 100;

/// How long a payment waits that can't be read: the others must come up.
const UNREADABLE_PAUSE_SECONDS: i64 = 600;

/// What a review comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reviewed {
    /// When to look again, unix seconds; `None` if nothing is left.
    pub next_at: Option<i64>,
    /// What is to be done now.
    pub begun: Option<Begun>,
}

/// An operation that nobody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// What is to be done.
    pub action: Action,
    /// How sure it must be.
    pub commitment: Level,
    /// By which operation.
    pub begin: Begin,
}

impl Store {
    /// Reviews the most urgent of the payments that are due by `now` (unix seconds), in one step: begins what `judge` says,
    /// and notes when to look again. Those whose capture deadline is ahead come first, the nearest first (of the 10,000
    /// longest due, if there are more); then those of which something only goes back. What is begun counts as accepted at
    /// `accepted_at` (unix seconds). Returns how many there were, and how many operations were begun.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn review_due(
        &self,
        now: i64,
        accepted_at: i64,
        judge: impl Fn(&History) -> Reviewed + Send + Sync,
    ) -> Result<(usize, usize), StoreError> {
        let mut transaction = self.begin_leader_write().await?;
        let due = due(&mut transaction, now, now, REVIEWED_TOGETHER).await?;
        let mut begun = 0;
        for UnreadableRow { name, cause } in &due.unreadable {
            tracing::error!(payment = name, %cause, "left alone: it can't be read");
            sqlx::query("UPDATE payments SET review_at = $1 WHERE id = $2")
                .bind(now.saturating_add(UNREADABLE_PAUSE_SECONDS))
                .bind(name)
                .execute(&mut *transaction)
                .await?;
        }
        for history in &due.rows {
            let id = &history.payment.id;
            let reviewed = judge(history);
            if let Some(Begun { action, commitment, begin }) = reviewed.begun {
                operations::begin(
                    &mut transaction,
                    &history.payment,
                    &action,
                    begin,
                    commitment,
                    accepted_at,
                )
                .await?;
                begun += 1;
            }
            payments::set_review(&mut transaction, id, reviewed.next_at).await?;
        }
        transaction.commit().await?;
        Ok((due.rows.len() + due.unreadable.len(), begun))
    }

    /// Says that nothing is left to do with these payments.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn end_reviews(&self, ids: &[Digest]) -> Result<(), StoreError> {
        let mut transaction = self.begin_leader_write().await?;
        for id in ids {
            payments::set_review(&mut transaction, id, None).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// At most `count` payments of which nothing is left to do, and of which it is not known whether the chain says the same,
    /// by their ids, those after `after`. Also returns the last id; `None` if there was no payment.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn to_compare(
        &self,
        after: Option<&str>,
        count: u32,
    ) -> Result<(Readable<History>, Option<String>), StoreError> {
        let mut connection = self.pool.acquire().await?;
        let rows =
            sqlx::query("SELECT id FROM payments WHERE to_compare = 1 AND id > $1 ORDER BY id LIMIT $2")
                .bind(after.unwrap_or_default())
                .bind(i64::from(count))
                .fetch_all(&mut *connection)
                .await?;
        let ended = histories::of_rows(&mut connection, &rows).await?;
        Ok((ended, rows.last().map(|row| row::get(row, "id")).transpose()?))
    }

    /// Says that the chain was asked what came of these payments.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn set_compared(&self, ids: &[Digest]) -> Result<(), StoreError> {
        let mut transaction = self.begin_leader_write().await?;
        for id in ids {
            sqlx::query("UPDATE payments SET to_compare = 0 WHERE id = $1")
                .bind(Hex32(*id).to_string())
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The most urgent of the payments that are to be reviewed by `by`, as of `now` (both unix seconds).
    ///
    /// # Errors
    /// If the store fails.
    pub async fn due_for_review(&self, by: i64, now: i64) -> Result<Readable<History>, StoreError> {
        due(&mut *self.pool.acquire().await?, by, now, REVIEWED_TOGETHER).await
    }

    /// How many payments should have been captured since `overdue_since` and still can be at `now` (unix seconds).
    ///
    /// # Errors
    /// If the store fails.
    pub async fn overdue_vouchers(&self, overdue_since: i64, now: i64) -> Result<u64, StoreError> {
        let row = sqlx::query(
            // For PostgreSQL: the lower bound says that few are due, since it plans without knowing the other, and EXISTS would
            // become a join that reads all vouchers.
            "SELECT count(*) AS overdue FROM payments
             WHERE review_at < capture_deadline AND review_at BETWEEN 0 AND $1 AND capture_deadline >= $2
             AND (SELECT 1 FROM vouchers WHERE payment_id = payments.id) = 1",
        )
        .bind(overdue_since)
        .bind(now)
        .fetch_one(&mut *self.pool.acquire().await?)
        .await?;
        row::get_u64(&row, "overdue")
    }
}

async fn due(
    connection: &mut AnyConnection,
    by: i64,
    now: i64,
    limit: i64,
) -> Result<Readable<History>, StoreError> {
    // Each in the words of its index, which has them by when they are due: those not due cost nothing, and those to be
    // captured are found without walking past those that only go back. Sorting all that are due would cost too much only
    // where more are due than can be reviewed in minutes.
    let urgent = "SELECT id FROM (
             SELECT id, capture_deadline FROM payments
             WHERE review_at < capture_deadline AND review_at <= $1 AND capture_deadline >= $3
             ORDER BY review_at LIMIT 10000
         ) AS longest_due ORDER BY capture_deadline LIMIT $2";
    // As after a time in which no verifier ran. A look takes them out of this index.
    let missed = "SELECT id FROM payments
         WHERE review_at < capture_deadline AND review_at <= $1 AND capture_deadline < $3
         ORDER BY review_at LIMIT $2";
    let others = "SELECT id FROM payments
         WHERE review_at >= coalesce(capture_deadline, 0) AND review_at <= $1 ORDER BY review_at LIMIT $2";
    let mut due = Readable::new();
    for (query, asks_for_deadlines) in [(urgent, true), (missed, true), (others, false)] {
        let left = limit.saturating_sub(i64::try_from(due.rows.len()).unwrap_or(i64::MAX));
        let query = sqlx::query(query).bind(by).bind(left);
        let query = if asks_for_deadlines { query.bind(now) } else { query };
        let rows = query.fetch_all(&mut *connection).await?;
        let Readable { rows, unreadable } = histories::of_rows(connection, &rows).await?;
        due.rows.extend(rows);
        due.unreadable.extend(unreadable);
    }
    Ok(due)
}
