//! Transactions: one row for each operation that one carries.

use sqlx::AnyConnection;
use x402_escrow_domain::payment::Attempt;
use x402_escrow_wire::text::Base58;

use super::{StoreError, row};

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

/// Records how far a transaction of an operation is. Returns how many rows there are of it: none, or one.
pub(super) async fn update_attempt(
    connection: &mut AnyConnection,
    attempt: &Attempt,
) -> Result<u64, StoreError> {
    let columns = row::StateColumns::new(&attempt.state)?;
    let updated = sqlx::query(
        "UPDATE transactions
         SET state = $1, slot = $2, block_hash = $3, error_code = $4, error = $5, is_blameless = $6
         WHERE signature = $7 AND operation_id = $8",
    )
    .bind(columns.state)
    .bind(columns.slot)
    .bind(columns.block_hash)
    .bind(columns.error_code)
    .bind(columns.error)
    .bind(i64::from(attempt.is_blameless))
    .bind(Base58(attempt.signature).to_string())
    .bind(attempt.operation_id)
    .execute(connection)
    .await?;
    Ok(updated.rows_affected())
}
