//! What was promised of an escrow, and the chain may not show yet.

use sqlx::{AnyConnection, any::AnyRow};
use x402_escrow_domain::{
    facts::Facts,
    payment::OperationState,
    promises::{Promise, Promises},
};
use x402_escrow_interface::Address;
use x402_escrow_wire::text::Hex32;

use super::{Store, StoreError, row};

impl Store {
    /// Payments of an escrow that are accepted and not in a block, or in a block that is not final or is after the slot
    /// of some view.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn promises(&self, escrow: &Address, facts: &Facts) -> Result<Promises, StoreError> {
        of_escrow(&mut *self.pool.acquire().await?, escrow, facts).await
    }

    /// Payments of which is kept what is not so: until when they are promised. At most a hundred; there should be none.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn wrong_promises(&self) -> Result<Vec<Hex32>, StoreError> {
        let rows = sqlx::query(
            "SELECT payments.id FROM payments JOIN operations ON payment_id = payments.id
             WHERE kind IN ('authorize', 'charge') AND coalesce(promised_until, -1) <> CASE
                 WHEN state IN ('failed', 'refused') THEN -1
                 WHEN closed = 0 THEN 9223372036854775807
                 ELSE coalesce((
                     SELECT max(slot) FROM transactions
                     WHERE operation_id = operations.id AND retired = 0 AND error_code IS NULL
                 ), 0)
             END LIMIT 100",
        )
        .fetch_all(&mut *self.pool.acquire().await?)
        .await?;
        rows.iter().map(|row| row::parse(row, "id")).collect()
    }
}

/// Reads the promises on one connection.
pub(super) async fn of_escrow(
    connection: &mut AnyConnection,
    escrow: &Address,
    facts: &Facts,
) -> Result<Promises, StoreError> {
    let rows = sqlx::query(
        "SELECT operations.*, payments.intent, (
             SELECT max(slot) FROM transactions
             WHERE operation_id = operations.id AND retired = 0 AND error_code IS NULL
         ) AS slot
         FROM payments JOIN operations ON operations.payment_id = payments.id
         WHERE payments.escrow = $1 AND payments.promised_until > $2
         AND operations.kind IN ('authorize', 'charge')",
    )
    .bind(escrow.to_string())
    .bind(row::integer("slot", facts.oldest_slot())?)
    .fetch_all(&mut *connection)
    .await?;
    Ok(Promises {
        promises: rows.iter().map(read).collect::<Result<_, _>>()?,
        open_holds: open_holds(connection, escrow).await?,
    })
}

/// How many payments of the escrow are not over.
async fn open_holds(connection: &mut AnyConnection, escrow: &Address) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT count(*) AS open FROM payments
         WHERE escrow = $1 AND review_at IS NOT NULL AND promised_until IS NOT NULL",
    )
    .bind(escrow.to_string())
    .fetch_one(connection)
    .await?;
    row::get_u64(&row, "open")
}

fn read(row: &AnyRow) -> Result<Promise, StoreError> {
    let slot = match row::operation(row).map(|operation| operation.state) {
        Ok(OperationState::Landed(_)) => row::get::<Option<i64>>(row, "slot")?.map(i64::unsigned_abs),
        Ok(_) => None,
        // It stops nothing but its own amount: that stays promised.
        Err(error) if error.is_of_row() => None,
        Err(error) => return Err(error),
    };
    Ok(Promise { intent: row::intent(row)?, slot })
}
