//! How far operations are.

use std::sync::LazyLock;

use sqlx::AnyConnection;
use x402_escrow_domain::payment::{Operation, OperationState, Problem};

use super::{
    StoreError, budgets,
    many::{Statements, batches, statements},
};

/// How far an operation is now.
struct NewState<'a> {
    id: i64,
    state: OperationState,
    closed: bool,
    problem: Option<&'a Problem>,
}

impl<'a> NewState<'a> {
    fn of(operation: &'a Operation) -> Self {
        let Operation { id, state, closed, problem, .. } = operation;
        Self { id: *id, state: *state, closed: *closed, problem: problem.as_ref() }
    }
}

static STATES: LazyLock<Statements> = LazyLock::new(|| {
    statements::<5>(|places| {
        format!(
            "WITH new (id, state, closed, error_code, error) AS (VALUES {places})
             UPDATE operations
             SET state = new.state, closed = new.closed, error_code = new.error_code, error = new.error
             FROM new WHERE operations.id = new.id AND operations.closed = 0"
        )
    })
});

/// Records how far operations are, except those that are closed by now.
pub(super) async fn update(
    connection: &mut AnyConnection,
    operations: &[&Operation],
) -> Result<(), StoreError> {
    let states: Vec<_> = operations.iter().map(|operation| NewState::of(operation)).collect();
    set_states(connection, &states).await
}

/// Says why an operation is not sent, now or ever (`refused`).
pub(super) async fn set_problem(
    connection: &mut AnyConnection,
    operation_id: i64,
    problem: Option<&Problem>,
    refused: bool,
) -> Result<(), StoreError> {
    let state = if refused { OperationState::Refused } else { OperationState::Queued };
    set_state(connection, operation_id, state, refused, problem).await
}

pub(super) async fn set_state(
    connection: &mut AnyConnection,
    id: i64,
    state: OperationState,
    closed: bool,
    problem: Option<&Problem>,
) -> Result<(), StoreError> {
    set_states(connection, &[NewState { id, state, closed, problem }]).await
}

async fn set_states(connection: &mut AnyConnection, states: &[NewState<'_>]) -> Result<(), StoreError> {
    for (text, states) in batches(&STATES, states) {
        let mut query = sqlx::query(text);
        for NewState { id, state, closed, problem } in states {
            query = query
                .bind(*id)
                .bind(state.as_str())
                .bind(i64::from(*closed))
                .bind(problem.map(|problem| problem.code.as_str()))
                .bind(problem.map(|problem| &problem.message));
        }
        query.execute(&mut *connection).await?;
    }
    for NewState { id, state, closed, .. } in states {
        if *closed && state.is_negative() {
            budgets::free_rent_of(&mut *connection, *id).await?;
        }
    }
    Ok(())
}
