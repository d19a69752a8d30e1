mod accept;

use std::collections::BTreeMap;

use sqlx::AnyConnection;
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::{
    auth_capture::Level,
    text::{Base58, Decimal, Hex32},
};

use super::{Store, StoreError, attempts::update_attempt, row};
use x402_escrow_domain::payment::{Action, Attempt, Operation, OperationState, Payment, Problem, Tracked};

use accept::Key;

impl Store {
    /// All operations whose state can still change, oldest first, with the transactions that count for it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn open_operations(&self) -> Result<Vec<Tracked>, StoreError> {
        let mut transaction = self.database.begin_read(&self.pool).await?;
        let rows = sqlx::query("SELECT * FROM operations WHERE closed = 0 ORDER BY id")
            .fetch_all(&mut *transaction)
            .await?;
        let operations = rows.iter().map(row::operation).collect::<Result<Vec<_>, _>>()?;
        let attempts = sqlx::query(
            "SELECT transactions.* FROM transactions JOIN operations ON operations.id = operation_id
             WHERE closed = 0 AND retired = 0 ORDER BY transactions.rowid",
        )
        .fetch_all(&mut *transaction)
        .await?;
        Ok(join(operations, attempts.iter().map(row::attempt).collect::<Result<_, _>>()?))
    }

    /// Records what the tracker found out about an operation and its transactions.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn record(&self, tracked: &Tracked) -> Result<(), StoreError> {
        let mut transaction = self.begin_leader_write().await?;
        for attempt in &tracked.attempts {
            update_attempt(&mut transaction, attempt).await?;
        }
        let operation = &tracked.operation;
        // An operation that somebody refused or took up again meanwhile is looked at again at the next round.
        update_operation(&mut transaction, operation).await?;
        Ok(transaction.commit().await?)
    }

    /// Says why an operation is not sent, now or ever (`refused`).
    ///
    /// # Errors
    /// If the store fails.
    pub async fn report_problem(
        &self,
        operation_id: i64,
        problem: &Problem,
        refused: bool,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin_leader_write().await?;
        set_problem(&mut transaction, operation_id, Some(problem), refused).await?;
        Ok(transaction.commit().await?)
    }

    /// Says that nothing is left to do for an operation, and that this is final: somebody else did it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn report_done(&self, operation_id: i64) -> Result<(), StoreError> {
        let mut transaction = self.begin_leader_write().await?;
        sqlx::query(
            "UPDATE operations SET state = 'finalized', closed = 1, error_code = NULL, error = NULL
             WHERE id = $1 AND closed = 0",
        )
        .bind(operation_id)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Refuses an operation of which no transaction exists. Returns whether it did: if not, it is under way.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn refuse_unsent(&self, operation_id: i64, problem: &Problem) -> Result<bool, StoreError> {
        // With the lock: PostgreSQL would not see a transaction that was added while the statement waited.
        let mut transaction = self.begin_write().await?;
        let refused = sqlx::query(
            "UPDATE operations SET state = 'refused', closed = 1, error_code = $1, error = $2
             WHERE id = $3 AND closed = 0
             AND NOT EXISTS (SELECT 1 FROM transactions WHERE operation_id = operations.id AND retired = 0)",
        )
        .bind(problem.code.as_str())
        .bind(&problem.message)
        .bind(operation_id)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(refused.rows_affected() == 1)
    }
}

/// Adds an operation that is to be sent.
pub(super) async fn insert_operation(
    connection: &mut AnyConnection,
    payment_id: &Digest,
    action: &Action,
    payment: &Payment,
    commitment: Level,
    now: i64,
) -> Result<i64, StoreError> {
    let Key { kind, amount, fee, last, returns } = Key::of(action, payment);
    let signature = match action {
        Action::Authorize => Some(payment.signature),
        Action::Capture { signature, .. }
        | Action::Close { signature, .. }
        | Action::Void { signature, .. } => Some(*signature),
        Action::Refund { .. } | Action::Reclaim => None,
    };
    let release = match action {
        Action::Close { release, .. } => Some(Base58(*release).to_string()),
        _ => None,
    };
    let inserted = sqlx::query(
        "INSERT INTO operations
         (payment_id, kind, amount, fee, last, returns, signature, release_signature, commitment, accepted_at, state,
          closed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0) RETURNING id",
    )
    .bind(Hex32(*payment_id).to_string())
    .bind(kind)
    .bind(Decimal(amount).to_string())
    .bind(Decimal(fee).to_string())
    .bind(i64::from(last))
    .bind(Decimal(returns).to_string())
    .bind(signature.map(|signature| Base58(signature).to_string()))
    .bind(release)
    .bind(commitment.as_str())
    .bind(now)
    .bind(OperationState::Queued.as_str())
    .fetch_one(connection)
    .await?;
    row::get(&inserted, "id")
}

/// Takes an operation up again that came to nothing.
pub(super) async fn take_up(connection: &mut AnyConnection, id: i64, now: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE transactions SET retired = 1 WHERE operation_id = $1")
        .bind(id)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "UPDATE operations SET state = 'queued', closed = 0, error_code = NULL, error = NULL, accepted_at = $1
         WHERE id = $2",
    )
    .bind(now)
    .bind(id)
    .execute(connection)
    .await?;
    Ok(())
}

/// Reads a payment's operations with all their transactions.
pub(super) async fn of_payment(
    connection: &mut AnyConnection,
    payment_id: &Digest,
) -> Result<Vec<Tracked>, StoreError> {
    let id = Hex32(*payment_id).to_string();
    let rows = sqlx::query("SELECT * FROM operations WHERE payment_id = $1 ORDER BY id")
        .bind(&id)
        .fetch_all(&mut *connection)
        .await?;
    let operations = rows.iter().map(row::operation).collect::<Result<Vec<_>, _>>()?;
    let attempts = sqlx::query(
        "SELECT transactions.* FROM transactions JOIN operations ON operations.id = operation_id
         WHERE payment_id = $1 ORDER BY transactions.rowid",
    )
    .bind(&id)
    .fetch_all(&mut *connection)
    .await?;
    Ok(join(operations, attempts.iter().map(row::attempt).collect::<Result<_, _>>()?))
}

fn join(operations: Vec<Operation>, attempts: Vec<Attempt>) -> Vec<Tracked> {
    let mut by_operation: BTreeMap<i64, Vec<Attempt>> = BTreeMap::new();
    for attempt in attempts {
        by_operation.entry(attempt.operation_id).or_default().push(attempt);
    }
    operations
        .into_iter()
        .map(|operation| {
            let attempts = by_operation.remove(&operation.id).unwrap_or_default();
            Tracked { operation, attempts }
        })
        .collect()
}

async fn update_operation(connection: &mut AnyConnection, operation: &Operation) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE operations SET state = $1, closed = $2, error_code = $3, error = $4 WHERE id = $5 AND closed = 0",
    )
    .bind(operation.state.as_str())
    .bind(i64::from(operation.closed))
    .bind(operation.problem.as_ref().map(|problem| problem.code.as_str()))
    .bind(operation.problem.as_ref().map(|problem| &problem.message))
    .bind(operation.id)
    .execute(connection)
    .await?;
    Ok(())
}

/// Says why an operation is not sent, now or ever (`refused`).
pub(super) async fn set_problem(
    connection: &mut AnyConnection,
    operation_id: i64,
    problem: Option<&Problem>,
    refused: bool,
) -> Result<(), StoreError> {
    let state = if refused { OperationState::Refused } else { OperationState::Queued };
    sqlx::query(
        "UPDATE operations SET state = $1, closed = $2, error_code = $3, error = $4 WHERE id = $5 AND closed = 0",
    )
    .bind(state.as_str())
    .bind(i64::from(refused))
    .bind(problem.map(|problem| problem.code.as_str()))
    .bind(problem.map(|problem| &problem.message))
    .bind(operation_id)
    .execute(connection)
    .await?;
    Ok(())
}
