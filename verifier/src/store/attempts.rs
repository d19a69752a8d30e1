use sqlx::AnyConnection;
use x402_escrow_interface::instruction::Signature;
use x402_escrow_wire::text::Base58;

use super::{Store, StoreError, operations::set_problem, row};
use x402_escrow_domain::payment::{Attempt, Problem};

/// What becomes of an operation whose transaction was not broadcast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenBack {
    /// The operation.
    pub operation_id: i64,
    /// Why, where it matters.
    pub problem: Option<Problem>,
    /// Whether it is refused for good; otherwise it is sent again later.
    pub refused: bool,
}

impl Store {
    /// Adds a transaction before it is sent: one row for each of its operations, unless one of them was closed meanwhile.
    /// Returns whether it was added: only then it may be sent.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn add_attempts(&self, attempts: &[Attempt]) -> Result<bool, StoreError> {
        let mut transaction = self.begin_leader_write().await?;
        for attempt in attempts {
            let open = sqlx::query("UPDATE operations SET state = 'sent' WHERE id = $1 AND closed = 0")
                .bind(attempt.operation_id)
                .execute(&mut *transaction)
                .await?
                .rows_affected();
            if open == 0 {
                return Ok(false);
            }
            insert_attempt(&mut transaction, attempt).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Takes back a transaction that was not broadcast, with what becomes of each of its operations.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn take_back_attempts(
        &self,
        signature: &Signature,
        operations: &[TakenBack],
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin_leader_write().await?;
        sqlx::query("DELETE FROM transactions WHERE signature = $1")
            .bind(Base58(*signature).to_string())
            .execute(&mut *transaction)
            .await?;
        for TakenBack { operation_id, problem, refused } in operations {
            set_problem(&mut transaction, *operation_id, problem.as_ref(), *refused).await?;
        }
        Ok(transaction.commit().await?)
    }
}

/// Adds a transaction to its operation, which is sent by it.
pub(super) async fn insert_attempt(
    connection: &mut AnyConnection,
    attempt: &Attempt,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO transactions (signature, operation_id, position, bytes, last_valid_block_height, state)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(Base58(attempt.signature).to_string())
    .bind(attempt.operation_id)
    .bind(attempt.position.map(i64::from))
    .bind(&attempt.transaction)
    .bind(row::integer("last_valid_block_height", attempt.last_valid_block_height)?)
    .bind(attempt.state.as_str())
    .execute(connection)
    .await?;
    Ok(())
}

/// Records how far a transaction of an operation is.
pub(super) async fn update_attempt(
    connection: &mut AnyConnection,
    attempt: &Attempt,
) -> Result<(), StoreError> {
    let columns = row::StateColumns::new(&attempt.state)?;
    sqlx::query(
        "UPDATE transactions
         SET state = $1, slot = $2, block_hash = $3, confirmations = $4, error_code = $5, error = $6, is_blameless = $7
         WHERE signature = $8 AND operation_id = $9",
    )
    .bind(columns.state)
    .bind(columns.slot)
    .bind(columns.block_hash)
    .bind(columns.confirmations)
    .bind(columns.error_code)
    .bind(columns.error)
    .bind(i64::from(attempt.is_blameless))
    .bind(Base58(attempt.signature).to_string())
    .bind(attempt.operation_id)
    .execute(connection)
    .await?;
    Ok(())
}
