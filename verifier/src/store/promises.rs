//! What was promised of an escrow, and the chain may not show yet.

use sqlx::{AnyConnection, any::AnyRow};
use x402_escrow_domain::{
    facts::Facts,
    promises::{Promise, Promises},
};
use x402_escrow_interface::Address;
use x402_escrow_wire::text::Hex32;

use super::{Store, StoreError, row};

impl Store {
    /// Payments of an escrow that are accepted and not in a block, or in a block after the slot of some view.
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
                 WHEN state NOT IN ('processed', 'confirmed', 'finalized') THEN 9223372036854775807
                 ELSE coalesce((
                     SELECT max(slot) FROM transactions
                     WHERE operation_id = operations.id AND retired = 0 AND error_code IS NULL
                 ), CASE closed WHEN 1 THEN 0 ELSE 9223372036854775807 END)
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
    // One row at least: how many payments are not over is in each.
    let rows = sqlx::query(
        "SELECT intent, promised_until, open_holds FROM (
             SELECT count(*) AS open_holds FROM payments
             WHERE escrow = $1 AND review_at IS NOT NULL AND promised_until IS NOT NULL
         ) AS counted LEFT JOIN payments ON escrow = $1 AND promised_until > $2",
    )
    .bind(escrow.to_string())
    .bind(row::integer("slot", facts.oldest_slot())?)
    .fetch_all(&mut *connection)
    .await?;
    let mut known = Promises::default();
    for row in &rows {
        known.open_holds = row::get_u64(row, "open_holds")?;
        known.promises.extend(read(row)?);
    }
    Ok(known)
}

fn read(row: &AnyRow) -> Result<Option<Promise>, StoreError> {
    let Some(until) = row::get::<Option<i64>>(row, "promised_until")? else { return Ok(None) };
    let slot = (until < i64::MAX).then_some(until.unsigned_abs());
    Ok(Some(Promise { intent: row::intent(row)?, slot }))
}
