//! What the status page shows besides the books: what came in, what came to nothing, and what the webhook did not take.

use x402_escrow_domain::payment::{ListedOperation, Operation};
use x402_escrow_interface::{Address, message::Digest};
use x402_escrow_wire::text::{Decimal, Key};

use super::{Store, StoreError, outstanding, row};

/// A payment, as far as sums need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turnover {
    /// The payment.
    pub id: Digest,
    /// Who is paid.
    pub receiver: Address,
    /// The token's mint, as base58.
    pub asset: String,
    /// What was authorized, in base units.
    pub amount: u64,
    /// The payment's operations, oldest first.
    pub operations: Vec<Operation>,
}

/// News that the webhook did not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Of how many payments.
    pub payments: u64,
    /// Since when, unix seconds.
    pub since: i64,
}

impl Store {
    /// The newest `count` payments since `since` (unix seconds) by any scheme: those of `receiver`, or all.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn turnover(
        &self,
        receiver: Option<&Address>,
        since: i64,
        count: u32,
    ) -> Result<Vec<Turnover>, StoreError> {
        let of_all = "SELECT operations.*, newest.mint, newest.receiver
             FROM (
                 SELECT id, mint, receiver FROM payments
                 WHERE accepted_at >= $1 ORDER BY accepted_at DESC, id DESC LIMIT $2
             ) AS newest JOIN operations ON payment_id = newest.id ORDER BY payment_id, operations.id";
        let of_one = "SELECT operations.*, newest.mint, newest.receiver
             FROM (
                 SELECT id, mint, receiver FROM payments
                 WHERE receiver = $3 AND accepted_at >= $1
                 ORDER BY accepted_at DESC, id DESC LIMIT $2
             ) AS newest JOIN operations ON payment_id = newest.id ORDER BY payment_id, operations.id";
        let mut query =
            sqlx::query(if receiver.is_some() { of_one } else { of_all }).bind(since).bind(i64::from(count));
        if let Some(receiver) = receiver {
            query = query.bind(receiver.to_string());
        }
        let mut turnover: Vec<Turnover> = Vec::new();
        for row in &query.fetch_all(&mut *self.pool.acquire().await?).await? {
            let Ok(operation) = row::operation(row) else { continue };
            match turnover.last_mut().filter(|last| last.id == operation.payment_id) {
                Some(last) => last.operations.push(operation),
                // Where the first can't be read, nothing is known of the payment.
                None if !operation.action.begins_payment() => {}
                None => turnover.push(Turnover {
                    id: operation.payment_id,
                    receiver: row::parse::<Key>(row, "receiver")?.into(),
                    asset: row::get(row, "mint")?,
                    // The first operation authorizes or transfers, and its amount is the payment's.
                    amount: row::parse::<Decimal>(row, "amount")?.0,
                    operations: vec![operation],
                }),
            }
        }
        Ok(turnover)
    }

    /// The newest `count` operations that were accepted since `since` (unix seconds) and came to nothing: those of
    /// `receiver`, or all.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn fruitless(
        &self,
        receiver: Option<&Address>,
        since: i64,
        count: u32,
    ) -> Result<Vec<ListedOperation>, StoreError> {
        let of_all = "SELECT operations.*, payments.escrow, payments.mint, payments.receiver,
             payments.amount AS authorized, payments.intent
             FROM operations JOIN payments ON payments.id = payment_id
             WHERE state IN ('failed', 'refused') AND operations.accepted_at >= $1
             ORDER BY operations.accepted_at DESC, operations.id DESC LIMIT $2";
        // SQLite keeps to the order of a CROSS JOIN: the other way round it would read all payments of the receiver.
        let of_one = "SELECT operations.*, payments.escrow, payments.mint, payments.receiver,
             payments.amount AS authorized, payments.intent
             FROM operations CROSS JOIN payments
             WHERE payments.id = payment_id AND state IN ('failed', 'refused') AND operations.accepted_at >= $1
             AND payments.receiver = $3
             ORDER BY operations.accepted_at DESC, operations.id DESC LIMIT $2";
        let mut query =
            sqlx::query(if receiver.is_some() { of_one } else { of_all }).bind(since).bind(i64::from(count));
        if let Some(receiver) = receiver {
            query = query.bind(receiver.to_string());
        }
        let rows = query.fetch_all(&mut *self.pool.acquire().await?).await?;
        Ok(rows.iter().map(outstanding::read_listed).filter_map(Result::ok).collect())
    }

    /// What the webhook did not take, though it was offered; `None` if there is nothing.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn undelivered(&self) -> Result<Option<Undelivered>, StoreError> {
        let row = sqlx::query(
            "SELECT count(*) AS payments, min(failing_since) AS since FROM webhook_deliveries
             WHERE due_at IS NOT NULL AND failing_since IS NOT NULL",
        )
        .fetch_one(&mut *self.pool.acquire().await?)
        .await?;
        let since: Option<i64> = row::get(&row, "since")?;
        let payments = row::get_u64(&row, "payments")?;
        Ok(since.map(|since| Undelivered { payments, since }))
    }
}
