//! How far one transaction is, and whether it is to blame for its failure. Decides only.

use solana_sdk::transaction::TransactionError;
use x402_escrow_wire::auth_capture::Commitment;

use crate::{
    cluster::Status,
    failure::{self, Place},
    payment::{Action, Attempt, AttemptState, Landing, Problem},
};

/// How far a transaction is that was in the state `before`. `explain` says why one that is in a block failed.
pub(crate) fn attempt_state(
    before: &AttemptState,
    last_valid_block_height: u64,
    status: Option<&Status>,
    block_height: u64,
    explain: impl Fn(&TransactionError) -> Problem,
) -> AttemptState {
    match status {
        // Deeper in the same chain is no news, and would be written for every block. A block gets no less final: a node
        // that says so is behind the one that said more.
        Some(status) if is_as_before(before, status) => before.clone(),
        Some(status) => AttemptState::Landed(Landing {
            slot: status.slot,
            block_hash: before
                .landing()
                .filter(|landing| landing.slot == status.slot)
                .and_then(|landing| landing.block_hash),
            commitment: status.commitment,
            error: status.error.as_ref().map(explain),
        }),
        // A final block stays, whatever a node that has forgotten its history says.
        None if is_final(before) => before.clone(),
        None if block_height > last_valid_block_height => AttemptState::Expired,
        None => AttemptState::Sent,
    }
}

/// Whether a transaction is in the block where it was, with the same outcome, and no more final.
fn is_as_before(before: &AttemptState, status: &Status) -> bool {
    before.landing().is_some_and(|landing| {
        landing.slot == status.slot
            && landing.error.is_some() == status.error.is_some()
            && landing.commitment >= status.commitment
    })
}

fn is_final(state: &AttemptState) -> bool {
    state.landing().is_some_and(|landing| landing.commitment == Commitment::Finalized)
}

/// Whether a transaction failed, and its operation can still succeed in another: it failed for another operation that it
/// carries, or for what can pass, as where a new fork took a capture before its hold. `status` is what is seen of it now.
pub(super) fn is_blameless(action: &Action, attempt: &Attempt, status: Option<&Status>) -> bool {
    match status {
        Some(Status { error: Some(error), .. }) => {
            let place = Place::of(attempt);
            let (prospect, _) = failure::explain(action, place, error);
            // What ran out of compute units alone would do so again.
            (place.is_shared() || place.culprit(error).is_some()) && !failure::is_refused(prospect, action)
        }
        Some(_) => false,
        // Final, and no more to be seen: it stays what it was.
        None => attempt.is_blameless && attempt.state.landing().is_some(),
    }
}

/// Where those transactions are that succeeded, or failed for good.
pub(super) fn own_landings(attempts: &[Attempt]) -> impl Iterator<Item = &Landing> {
    attempts.iter().filter(|attempt| !attempt.is_blameless).filter_map(|attempt| attempt.state.landing())
}

#[cfg(test)]
mod tests {
    use solana_sdk::{instruction::InstructionError, transaction::TransactionError};
    use x402_escrow_interface::error::EscrowError;
    use x402_escrow_wire::{auth_capture::Commitment, error_code::ErrorCode};

    use crate::cluster::Status;
    use crate::{
        advance::{
            Next,
            tests::{landed, step, tracked},
        },
        payment::{Action, AttemptState, OperationState, Tracked},
    };

    /// The third of the operations that a transaction carries.
    fn gathered() -> Tracked {
        let mut tracked = tracked(&[AttemptState::Sent]);
        tracked.operation.action = Action::Capture { amount: 1, fee: 0, last: true, signature: [0; 64] };
        tracked.attempts[0].position = Some(2);
        tracked
    }

    fn failed_at(instruction: u8, commitment: Commitment) -> Option<Status> {
        let code = InstructionError::Custom(EscrowError::CaptureDeadlinePassed.code());
        let error = TransactionError::InstructionError(instruction, code);
        Some(Status { error: Some(error), ..landed(9, commitment) })
    }

    #[test]
    fn a_node_that_lags_behind_makes_no_block_less_final() {
        let mut seen = tracked(&[AttemptState::Sent]);
        let stays = (Next::Wait, OperationState::Landed(Commitment::Confirmed), false);
        assert_eq!(step(&mut seen, &[Some(landed(9, Commitment::Confirmed))], 10), stays);
        assert_eq!(step(&mut seen, &[Some(landed(9, Commitment::Processed))], 10), stays);
        let moved = (Next::Wait, OperationState::Landed(Commitment::Processed), false);
        assert_eq!(step(&mut seen, &[Some(landed(10, Commitment::Processed))], 10), moved);
    }

    #[test]
    fn only_the_operation_that_failed_a_transaction_fails_by_it() {
        let mut culprit = gathered();
        let expected = (Next::Wait, OperationState::Failed, true);
        assert_eq!(step(&mut culprit, &[failed_at(4, Commitment::Finalized)], 10), expected);
        assert_eq!(culprit.operation.problem.unwrap().code, ErrorCode::CaptureInvalid);
        for instruction in [0, 1, 2, 3, 5, 9] {
            let mut other = gathered();
            let seen = [failed_at(instruction, Commitment::Finalized)];
            assert_eq!(step(&mut other, &seen, 10), (Next::Send, OperationState::Queued, false));
            assert_eq!(other.operation.problem, None);
            assert_eq!(other.attempts[0].state.as_str(), "failed");
            // Also once the node has forgotten it.
            assert_eq!(step(&mut other, &[None], 1000), (Next::Send, OperationState::Queued, false));
        }
    }

    #[test]
    fn who_runs_out_of_shared_compute_units_is_not_blamed_but_is_when_alone() {
        let error = TransactionError::InstructionError(4, InstructionError::ProgramFailedToComplete);
        let status = Some(Status { error: Some(error), ..landed(9, Commitment::Confirmed) });
        let mut shared = gathered();
        let seen = [status.clone()];
        assert_eq!(step(&mut shared, &seen, 10), (Next::Send, OperationState::Queued, false));
        let mut alone = gathered();
        alone.attempts[0].position = None;
        assert_eq!(step(&mut alone, &seen, 10), (Next::Wait, OperationState::Failed, false));
    }

    #[test]
    fn what_can_still_succeed_is_made_again_but_no_authorization_and_no_refund() {
        let no_hold = TransactionError::InstructionError(2, InstructionError::AccountDataTooSmall);
        let seen = [Some(Status { error: Some(no_hold), ..landed(9, Commitment::Finalized) })];
        let outcome = |action| {
            let mut tracked = tracked(&[AttemptState::Sent]);
            tracked.operation.action = action;
            step(&mut tracked, &seen, 10)
        };
        let (amount, signature) = (1, [0; 64]);
        let goes_on = (Next::Send, OperationState::Queued, false);
        assert_eq!(outcome(Action::Capture { amount, fee: 0, last: true, signature }), goes_on);
        assert_eq!(outcome(Action::Void { amount, signature }), goes_on);
        let failed = (Next::Wait, OperationState::Failed, true);
        assert_eq!(outcome(Action::Authorize), failed);
        assert_eq!(outcome(Action::Refund { amount, returns: amount }), failed);
    }

    /// SIMD-0290: it is in a block, and its fee payer could not pay.
    #[test]
    fn a_transaction_that_did_not_run_counts_as_never_sent() {
        use TransactionError as E;
        for error in [E::AccountNotFound, E::InsufficientFundsForFee, E::InvalidAccountForFee] {
            let seen = [Some(Status { error: Some(error), ..landed(9, Commitment::Finalized) })];
            let mut tracked = tracked(&[AttemptState::Sent]);
            tracked.operation.action = Action::Reclaim;
            // While its blockhash lives it is sent again; then another is made.
            assert_eq!(step(&mut tracked, &seen, 10), (Next::Repeat, OperationState::Sent, false));
            assert_eq!(tracked.attempts[0].state, AttemptState::Sent);
            assert_eq!(step(&mut tracked, &seen, 1000), (Next::Send, OperationState::Queued, false));
            assert_eq!(tracked.attempts[0].state, AttemptState::Expired);
        }
    }

    #[test]
    fn a_transaction_that_failed_for_another_counts_again_once_its_block_is_dropped() {
        let mut tracked = gathered();
        step(&mut tracked, &[failed_at(2, Commitment::Processed)], 10);
        assert_eq!(tracked.operation.state, OperationState::Queued);
        assert_eq!(step(&mut tracked, &[None], 10), (Next::Repeat, OperationState::Sent, false));
        let landed = [Some(landed(11, Commitment::Finalized))];
        let expected = (Next::Wait, OperationState::Landed(Commitment::Finalized), true);
        assert_eq!(step(&mut tracked, &landed, 20), expected);
    }
}
