//! How an operation goes on, given what the cluster says about its transactions. Uses `cluster`, `exact`, `failure`,
//! `payment`.

mod attempt;
mod signed_elsewhere;

use x402_escrow_wire::{auth_capture::Commitment, error_code::ErrorCode};

use crate::{
    cluster::Sighting,
    failure::{self, Place},
    payment::{Action, Attempt, AttemptState, OperationState, Problem, Tracked},
};

use attempt::{is_blameless, own_landings};
use signed_elsewhere::expired;

pub(crate) use attempt::attempt_state;

/// By how many blocks a transaction outlives the last one that could have it, before it counts as lost: only once that block is
/// final. No time, but TowerBFT's depth of what is final, whatever a slot takes; Alpenglow needs less.
pub const EXPIRY_MARGIN_BLOCKS: u64 = 32;

/// What was seen at one moment.
#[derive(Clone, Debug)]
pub struct Observation<'a> {
    /// Height of the newest confirmed block, read before the sightings.
    pub block_height: u64,
    /// What is known of each transaction, in the order of the attempts.
    pub sightings: &'a [Sighting],
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
    let action = tracked.operation.action;
    for (attempt, sighting) in tracked.attempts.iter_mut().zip(seen.sightings) {
        // Until the nodes agree, what they agreed on before holds.
        if *sighting == Sighting::Disputed {
            continue;
        }
        let (status, place) = (sighting.status(), Place::of(attempt));
        attempt.state = attempt_state(
            &attempt.state,
            attempt.last_valid_block_height.saturating_add(EXPIRY_MARGIN_BLOCKS),
            status,
            seen.block_height,
            |error| failure::explain(&action, place, error).1,
        );
        attempt.is_blameless = is_blameless(&action, attempt, status);
    }
    let given_up = was_given_up(tracked, seen);
    let operation = &mut tracked.operation;
    if operation.closed {
        return Next::Wait;
    }
    operation.state = operation_state(&action, &tracked.attempts);
    match operation.state {
        OperationState::Landed(reached) => {
            operation.problem = None;
            operation.closed = reached == Commitment::Finalized;
            Next::Wait
        }
        OperationState::Failed => {
            operation.problem =
                own_landings(&tracked.attempts).last().and_then(|landing| landing.error.clone());
            operation.closed = tracked.attempts.iter().all(|attempt| match &attempt.state {
                AttemptState::Landed(landing) => landing.commitment == Commitment::Finalized,
                AttemptState::Expired => true,
                AttemptState::Sent => false,
            });
            Next::Wait
        }
        OperationState::Sent => {
            operation.problem = None;
            let can_land = |attempt: &Attempt| seen.block_height <= attempt.last_valid_block_height;
            if tracked.attempts.iter().any(can_land) { Next::Repeat } else { Next::Wait }
        }
        // Its one transaction can't land any more, and only who signed it too can sign another.
        OperationState::Queued if action.is_signed_elsewhere() => {
            operation.state = OperationState::Refused;
            operation.closed = true;
            operation.problem.get_or_insert_with(|| expired(&action));
            Next::Wait
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

fn operation_state(action: &Action, attempts: &[Attempt]) -> OperationState {
    let succeeded = own_landings(attempts)
        .filter(|landing| landing.error.is_none())
        .map(|landing| landing.commitment)
        .max();
    match succeeded {
        Some(commitment) => OperationState::Landed(commitment),
        // A failed transfer counts as one once that is confirmed: nobody can send it anew.
        None if own_landings(attempts)
            .any(|landing| *action != Action::Transfer || landing.commitment >= Commitment::Confirmed) =>
        {
            OperationState::Failed
        }
        None if attempts
            .iter()
            .any(|attempt| attempt.state != AttemptState::Expired && !attempt.is_blameless) =>
        {
            OperationState::Sent
        }
        None => OperationState::Queued,
    }
}

/// Whether a problem only says that the outcome is not known yet.
pub fn is_pending(problem: &Problem) -> bool {
    problem.code == ErrorCode::SettlementPending
}

/// Why an authorization or a charge that could not be sent is refused.
pub fn not_sent_in_time() -> Problem {
    Problem {
        code: ErrorCode::UnexpectedSettleError,
        message: "the transaction could not be sent in time; nothing is held or paid, try again".to_owned(),
    }
}

/// An authorization or a charge that nobody waits for any more, and of which no transaction exists, is not sent: its payer was
/// told no. Happens when the verifier was stopped before it could send it. What somebody else may have charged is looked
/// for until that is known.
fn was_given_up(tracked: &Tracked, seen: &Observation<'_>) -> bool {
    let deadline = tracked.operation.accepted_at.saturating_add(seen.settle_timeout_seconds);
    let is_looked_for = || tracked.operation.problem.as_ref().is_some_and(is_pending);
    tracked.operation.action.settles_intent()
        && tracked.attempts.is_empty()
        && !is_looked_for()
        && seen.now > deadline
}

#[cfg(test)]
mod tests;
