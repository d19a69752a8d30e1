use sqlx::AnyConnection;
use x402_escrow_wire::text::Base58;

use super::{Store, StoreError, operations::set_problem, row};
use crate::payment::{Attempt, Problem};

impl Store {
    /// Adds a transaction before it is sent, unless the operation was closed meanwhile. Returns whether it was added:
    /// only then it may be sent.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn add_attempt(&self, attempt: &Attempt) -> Result<bool, StoreError> {
        let mut transaction = self.begin_write().await?;
        let open = sqlx::query("UPDATE operations SET state = 'sent' WHERE id = $1 AND closed = 0")
            .bind(attempt.operation_id)
            .execute(&mut *transaction)
            .await?
            .rows_affected();
        if open == 0 {
            return Ok(false);
        }
        insert_attempt(&mut transaction, attempt).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Takes back a transaction that was not broadcast, and says why where it matters. The operation is sent again
    /// later, or is refused for good.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn take_back_attempt(
        &self,
        attempt: &Attempt,
        problem: Option<&Problem>,
        refused: bool,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin_write().await?;
        sqlx::query("DELETE FROM transactions WHERE signature = $1")
            .bind(Base58(attempt.signature).to_string())
            .execute(&mut *transaction)
            .await?;
        set_problem(&mut transaction, attempt.operation_id, problem, refused).await?;
        Ok(transaction.commit().await?)
    }
}

/// Adds a transaction to its operation, which is sent by it.
pub(super) async fn insert_attempt(
    connection: &mut AnyConnection,
    attempt: &Attempt,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO transactions (signature, operation_id, bytes, last_valid_block_height, state)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(Base58(attempt.signature).to_string())
    .bind(attempt.operation_id)
    .bind(&attempt.transaction)
    .bind(row::integer("last_valid_block_height", attempt.last_valid_block_height)?)
    .bind(attempt.state.as_str())
    .execute(connection)
    .await?;
    Ok(())
}

/// Records how far a transaction is.
pub(super) async fn update_attempt(
    connection: &mut AnyConnection,
    attempt: &Attempt,
) -> Result<(), StoreError> {
    let columns = row::StateColumns::new(&attempt.state)?;
    sqlx::query(
        "UPDATE transactions
         SET state = $1, slot = $2, block_hash = $3, confirmations = $4, error_code = $5, error = $6
         WHERE signature = $7",
    )
    .bind(columns.state)
    .bind(columns.slot)
    .bind(columns.block_hash)
    .bind(columns.confirmations)
    .bind(columns.error_code)
    .bind(columns.error)
    .bind(Base58(attempt.signature).to_string())
    .execute(connection)
    .await?;
    Ok(())
}
