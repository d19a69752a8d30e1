//! What was promised of an escrow, and the chain may not show yet.

use sqlx::{AnyConnection, any::AnyRow};
use x402_escrow_domain::{
    facts::Facts,
    payment::OperationState,
    promises::{Promise, Promises},
};
use x402_escrow_interface::Address;

use super::{Store, StoreError, payments, row};

impl Store {
    /// Payments of an escrow that are accepted and not in a block, or in a block that is not final or is after the slot
    /// of some view.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn promises(&self, escrow: &Address, facts: &Facts) -> Result<Promises, StoreError> {
        of_escrow(&mut *self.pool.acquire().await?, escrow, facts).await
    }
}

/// Reads the promises on one connection.
pub(super) async fn of_escrow(
    connection: &mut AnyConnection,
    escrow: &Address,
    facts: &Facts,
) -> Result<Promises, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM (
             SELECT operations.*, payments.intent, (
                 SELECT max(slot) FROM transactions
                 WHERE operation_id = operations.id AND retired = 0 AND error_code IS NULL
             ) AS slot
             FROM payments JOIN operations ON operations.payment_id = payments.id
             WHERE payments.escrow = $1 AND operations.kind IN ('authorize', 'charge')
             AND operations.state NOT IN ('failed', 'refused')
         ) AS authorizations
         WHERE closed = 0 OR slot > $2",
    )
    .bind(escrow.to_string())
    .bind(row::integer("slot", facts.oldest_slot())?)
    .fetch_all(&mut *connection)
    .await?;
    Ok(Promises {
        promises: rows.iter().map(read).collect::<Result<_, _>>()?,
        open_holds: payments::open_holds(connection, escrow).await?,
    })
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
