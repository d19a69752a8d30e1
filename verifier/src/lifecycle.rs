//! How an operation goes on, given what the cluster says about its transactions. Decides only; [`crate::track`] acts.

use x402_escrow_wire::{auth_capture::Commitment, error_code::ErrorCode};

use crate::{
    chain::Status,
    payment::{Action, Attempt, AttemptState, Landing, OperationState, Problem, Tracked},
    refusal,
};

/// What was seen at one moment.
#[derive(Clone, Debug)]
pub struct Observation<'a> {
    /// Height of the newest confirmed block, read before the statuses.
    pub block_height: u64,
    /// What the cluster knows of each transaction, in the order of the attempts.
    pub statuses: &'a [Option<Status>],
    /// Now, unix seconds.
    pub now: i64,
    /// How long a caller of `/settle` waits.
    pub settle_timeout_seconds: i64,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Wait,
    /// Make a new transaction and send it.
    Send,
    /// Send the newest transaction again.
    Repeat,
}

/// Brings `tracked` up to date and says what is to be done next.
pub fn advance(tracked: &mut Tracked, seen: &Observation<'_>) -> Next {
    for (attempt, status) in tracked.attempts.iter_mut().zip(seen.statuses) {
        attempt.state = attempt_state(&tracked.operation.action, attempt, status.as_ref(), seen.block_height);
    }
    let given_up = was_given_up(tracked, seen);
    let operation = &mut tracked.operation;
    if operation.closed {
        return Next::Wait;
    }
    operation.state = operation_state(&tracked.attempts);
    match operation.state {
        OperationState::Landed(reached) => {
            operation.problem = None;
            operation.closed = reached == Commitment::Finalized;
            Next::Wait
        }
        OperationState::Failed => {
            let newest = tracked.attempts.iter().filter_map(|attempt| attempt.state.landing()).next_back();
            operation.problem = newest.and_then(|landing| landing.error.clone());
            operation.closed = tracked.attempts.iter().all(|attempt| match &attempt.state {
                AttemptState::Landed(landing) => landing.commitment == Commitment::Finalized,
                AttemptState::Expired => true,
                AttemptState::Sent => false,
            });
            Next::Wait
        }
        OperationState::Sent => {
            operation.problem = None;
            Next::Repeat
        }
        OperationState::Queued if given_up => {
            operation.state = OperationState::Refused;
            operation.closed = true;
            operation.problem.get_or_insert_with(not_sent_in_time);
            Next::Wait
        }
        OperationState::Queued | OperationState::Refused => Next::Send,
    }
}

fn attempt_state(
    action: &Action,
    attempt: &Attempt,
    status: Option<&Status>,
    block_height: u64,
) -> AttemptState {
    match status {
        Some(status) => AttemptState::Landed(Landing {
            slot: status.slot,
            block_hash: attempt
                .state
                .landing()
                .filter(|before| before.slot == status.slot)
                .and_then(|before| before.block_hash),
            confirmations: status.confirmations,
            commitment: status.commitment,
            error: status.error.as_ref().map(|error| refusal::explain(action, error).1),
        }),
        // A final block stays, whatever a node that has forgotten its history says.
        None if is_final(&attempt.state) => attempt.state.clone(),
        None if block_height > attempt.last_valid_block_height => AttemptState::Expired,
        None => AttemptState::Sent,
    }
}

fn is_final(state: &AttemptState) -> bool {
    state.landing().is_some_and(|landing| landing.commitment == Commitment::Finalized)
}

fn operation_state(attempts: &[Attempt]) -> OperationState {
    let landings = || attempts.iter().filter_map(|attempt| attempt.state.landing());
    let succeeded =
        landings().filter(|landing| landing.error.is_none()).map(|landing| landing.commitment).max();
    match succeeded {
        Some(commitment) => OperationState::Landed(commitment),
        None if landings().next().is_some() => OperationState::Failed,
        None if attempts.iter().any(|attempt| attempt.state == AttemptState::Sent) => OperationState::Sent,
        None => OperationState::Queued,
    }
}

/// Why an authorization that could not be sent is refused.
pub fn not_sent_in_time() -> Problem {
    Problem {
        code: ErrorCode::UnexpectedSettleError,
        message: "the transaction could not be sent in time; nothing is held, try again".to_owned(),
    }
}

/// An authorization that nobody waits for any more, and of which no transaction exists, is not sent: its payer was
/// told no. Happens when the verifier was stopped before it could send it.
fn was_given_up(tracked: &Tracked, seen: &Observation<'_>) -> bool {
    let deadline = tracked.operation.accepted_at.saturating_add(seen.settle_timeout_seconds);
    matches!(tracked.operation.action, Action::Authorize)
        && tracked.attempts.is_empty()
        && seen.now > deadline
}
