//! Records how far operations and their transactions are. Only the leader writes here.

use x402_escrow_domain::payment::{Action, Attempt, Operation, OperationKey, Problem, Tracked};
use x402_escrow_interface::instruction::Signature;
use x402_escrow_wire::{
    auth_capture::Level,
    text::{Base58, Decimal},
};

use super::{
    Store, StoreError,
    attempts::{insert_attempt, update_attempts},
    budgets, payments,
    states::{self, set_problem},
};

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
    /// Adds a transaction before it is sent: one row for each of its operations, with what that is to do by it, unless one of
    /// them was closed meanwhile or is to do something else. Returns whether it was added: only then it may be sent.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn add_attempts(&self, attempts: &[(OperationKey, Attempt)]) -> Result<bool, StoreError> {
        let mut transaction = self.begin_leader_write().await?;
        for (OperationKey { kind, amount, fee, last, .. }, attempt) in attempts {
            let open = "UPDATE operations SET state = 'sent'
                 WHERE id = $1 AND closed = 0 AND kind = $2 AND amount = $3 AND fee = $4 AND last = $5";
            let open = sqlx::query(open)
                .bind(attempt.operation_id)
                .bind(*kind)
                .bind(Decimal(*amount).to_string())
                .bind(Decimal(*fee).to_string())
                .bind(i64::from(*last))
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
        for forget in [
            "DELETE FROM transactions WHERE signature = $1",
            "DELETE FROM transaction_bytes WHERE signature = $1",
        ] {
            sqlx::query(forget).bind(Base58(*signature).to_string()).execute(&mut *transaction).await?;
        }
        for TakenBack { operation_id, problem, refused } in operations {
            set_problem(&mut transaction, *operation_id, problem.as_ref(), *refused).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Records what the tracker found out about operations and their transactions, in one step.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn record(&self, operations: &[&Tracked]) -> Result<(), StoreError> {
        let mut transaction = self.begin_leader_write().await?;
        let attempts: Vec<_> = operations.iter().flat_map(|tracked| &tracked.attempts).collect();
        update_attempts(&mut transaction, &attempts).await?;
        let operations: Vec<_> = operations.iter().map(|tracked| &tracked.operation).collect();
        // An operation that somebody refused or took up again meanwhile is looked at again at the next round.
        states::update(&mut transaction, &operations).await?;
        let is_over = |operation: &&&Operation| operation.closed && operation.action == Action::Transfer;
        let over: Vec<_> = operations.iter().filter(is_over).map(|operation| operation.payment_id).collect();
        payments::end_transfers(&mut transaction, &over).await?;
        Ok(transaction.commit().await?)
    }

    /// Notes that somebody waits until an operation is at least so sure.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn ask_more(&self, operation_id: i64, commitment: Level) -> Result<(), StoreError> {
        let mut transaction = self.begin_write().await?;
        sqlx::query("UPDATE operations SET commitment = $1 WHERE id = $2")
            .bind(commitment.as_str())
            .bind(operation_id)
            .execute(&mut *transaction)
            .await?;
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
        .await?
        .rows_affected()
            == 1;
        if refused {
            budgets::free_rent_of(&mut transaction, operation_id).await?;
        }
        transaction.commit().await?;
        Ok(refused)
    }
}
