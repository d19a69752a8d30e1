use solana_sdk::{instruction::InstructionError, transaction::TransactionError};
use x402_escrow_interface::error::EscrowError;
use x402_escrow_wire::{auth_capture::Level, error_code::ErrorCode};

use super::*;
use crate::{cluster::Status, payment::Operation};

pub(super) const LAST_VALID: u64 = 150;

pub(super) fn tracked(states: &[AttemptState]) -> Tracked {
    let operation = Operation {
        id: 1,
        payment_id: [1; 32],
        action: Action::Authorize,
        commitment: Level::Confirmed,
        accepted_at: 1000,
        state: OperationState::Queued,
        closed: false,
        problem: None,
    };
    let attempt = |(index, state): (usize, &AttemptState)| Attempt {
        signature: [u8::try_from(index).unwrap(); 64],
        operation_id: 1,
        position: None,
        transaction: Vec::new(),
        last_valid_block_height: LAST_VALID,
        state: state.clone(),
        is_blameless: false,
    };
    Tracked { operation, attempts: states.iter().enumerate().map(attempt).collect() }
}

pub(super) fn landed(slot: u64, commitment: Commitment) -> Status {
    Status { slot, commitment, error: None }
}

fn failed(commitment: Commitment) -> Status {
    let code = EscrowError::NonceUsed.code();
    let error = TransactionError::InstructionError(2, InstructionError::Custom(code));
    Status { error: Some(error), ..landed(9, commitment) }
}

/// What becomes of the operation: next step, state, and whether it is closed.
pub(super) fn step(
    tracked: &mut Tracked,
    statuses: &[Option<Status>],
    block_height: u64,
) -> (Next, OperationState, bool) {
    let sightings: Vec<_> = statuses.iter().cloned().map(Sighting::from).collect();
    step_on(tracked, &sightings, block_height)
}

fn step_on(tracked: &mut Tracked, sightings: &[Sighting], block_height: u64) -> (Next, OperationState, bool) {
    let seen = Observation { block_height, sightings, now: 1010, settle_timeout_seconds: 45 };
    let next = advance(tracked, &seen);
    (next, tracked.operation.state, tracked.operation.closed)
}

#[test]
fn a_new_operation_is_sent() {
    assert_eq!(step(&mut tracked(&[]), &[], 0), (Next::Send, OperationState::Queued, false));
}

#[test]
fn an_authorization_without_transaction_is_given_up_when_nobody_waits() {
    let mut late = tracked(&[]);
    let seen = Observation { block_height: 0, sightings: &[], now: 1046, settle_timeout_seconds: 45 };
    assert_eq!(advance(&mut late, &seen), Next::Wait);
    assert_eq!((late.operation.state, late.operation.closed), (OperationState::Refused, true));
    // A capture is money: it is never given up by time alone.
    let mut capture = tracked(&[]);
    capture.operation.action = Action::Capture { amount: 1, fee: 0, last: true, signature: [0; 64] };
    assert_eq!(advance(&mut capture, &seen), Next::Send);
}

#[test]
fn an_unseen_transaction_is_repeated_until_its_blockhash_is_dead_and_then_replaced() {
    let mut unseen = tracked(&[AttemptState::Sent]);
    assert_eq!(step(&mut unseen, &[None], LAST_VALID), (Next::Repeat, OperationState::Sent, false));
    for height in [LAST_VALID + 1, LAST_VALID + EXPIRY_MARGIN_BLOCKS] {
        assert_eq!(step(&mut unseen, &[None], height), (Next::Wait, OperationState::Sent, false));
    }
    let expired = (Next::Send, OperationState::Queued, false);
    assert_eq!(step(&mut unseen, &[None], LAST_VALID + EXPIRY_MARGIN_BLOCKS + 1), expired);
    assert_eq!(unseen.attempts[0].state, AttemptState::Expired);
}

#[test]
fn a_transaction_is_followed_until_final() {
    let mut seen = tracked(&[AttemptState::Sent]);
    for (commitment, closed) in
        [(Commitment::Processed, false), (Commitment::Confirmed, false), (Commitment::Finalized, true)]
    {
        let expected = (Next::Wait, OperationState::Landed(commitment), closed);
        assert_eq!(step(&mut seen, &[Some(landed(9, commitment))], 1000), expected);
    }
}

#[test]
fn a_dropped_block_makes_it_unsettled_and_forgets_where_it_was() {
    let mut dropped = tracked(&[AttemptState::Sent]);
    step(&mut dropped, &[Some(landed(9, Commitment::Processed))], 10);
    assert_eq!(step(&mut dropped, &[None], 10), (Next::Repeat, OperationState::Sent, false));
    assert_eq!(dropped.attempts[0].state, AttemptState::Sent);
}

#[test]
fn the_block_hash_is_kept_only_for_the_same_slot() {
    let mut moved = tracked(&[AttemptState::Sent]);
    step(&mut moved, &[Some(landed(9, Commitment::Confirmed))], 10);
    if let AttemptState::Landed(landing) = &mut moved.attempts[0].state {
        landing.block_hash = Some([7; 32]);
    }
    let hash = |tracked: &Tracked| tracked.attempts[0].state.landing().and_then(|landing| landing.block_hash);
    step(&mut moved, &[Some(landed(9, Commitment::Confirmed))], 10);
    assert_eq!(hash(&moved), Some([7; 32]));
    step(&mut moved, &[Some(landed(10, Commitment::Confirmed))], 10);
    assert_eq!(hash(&moved), None);
}

#[test]
fn an_expired_transaction_that_shows_up_after_all_counts() {
    let mut late = tracked(&[AttemptState::Expired, AttemptState::Sent]);
    let statuses = [Some(landed(9, Commitment::Finalized)), Some(failed(Commitment::Finalized))];
    let expected = (Next::Wait, OperationState::Landed(Commitment::Finalized), true);
    assert_eq!(step(&mut late, &statuses, 1000), expected);
}

#[test]
fn a_failure_is_told_at_once_and_closed_once_it_is_final() {
    let mut failing = tracked(&[AttemptState::Sent]);
    let expected = (Next::Wait, OperationState::Failed, false);
    assert_eq!(step(&mut failing, &[Some(failed(Commitment::Processed))], 10), expected);
    let problem = failing.operation.problem.clone().unwrap();
    assert_eq!(problem.code, ErrorCode::NonceInvalid);
    // Its block is dropped: it may still succeed.
    assert_eq!(step(&mut failing, &[None], 10), (Next::Repeat, OperationState::Sent, false));
    assert_eq!(failing.operation.problem, None);
    let expected = (Next::Wait, OperationState::Failed, true);
    assert_eq!(step(&mut failing, &[Some(failed(Commitment::Finalized))], 10), expected);
}

#[test]
fn a_failure_is_not_final_while_another_transaction_may_still_land() {
    let mut two = tracked(&[AttemptState::Sent, AttemptState::Sent]);
    let statuses = [Some(failed(Commitment::Finalized)), None];
    assert_eq!(step(&mut two, &statuses, 10), (Next::Wait, OperationState::Failed, false));
    assert_eq!(
        step(&mut two, &statuses, LAST_VALID + EXPIRY_MARGIN_BLOCKS + 1),
        (Next::Wait, OperationState::Failed, true)
    );
}

#[test]
fn what_the_nodes_disagree_on_is_neither_replaced_nor_undone() {
    let disputed = [Sighting::Disputed];
    let mut sent = tracked(&[AttemptState::Sent]);
    let waits = (Next::Wait, OperationState::Sent, false);
    assert_eq!(step_on(&mut sent, &disputed, LAST_VALID + EXPIRY_MARGIN_BLOCKS + 1), waits);
    assert_eq!(
        step(&mut sent, &[None], LAST_VALID + EXPIRY_MARGIN_BLOCKS + 1),
        (Next::Send, OperationState::Queued, false)
    );

    let mut confirmed = tracked(&[AttemptState::Sent]);
    step(&mut confirmed, &[Some(landed(9, Commitment::Confirmed))], 10);
    let stays = (Next::Wait, OperationState::Landed(Commitment::Confirmed), false);
    assert_eq!(step_on(&mut confirmed, &disputed, 11), stays);

    // One node alone can't bring back what all others had lost.
    let mut expired = tracked(&[AttemptState::Expired]);
    let again = (Next::Send, OperationState::Queued, false);
    assert_eq!(step_on(&mut expired, &disputed, LAST_VALID + EXPIRY_MARGIN_BLOCKS + 1), again);
}

#[test]
fn a_node_without_history_does_not_undo_what_is_final() {
    let mut done = tracked(&[AttemptState::Sent, AttemptState::Sent]);
    step(&mut done, &[Some(failed(Commitment::Finalized)), None], 10);
    step(&mut done, &[None, None], LAST_VALID + EXPIRY_MARGIN_BLOCKS + 1);
    assert_eq!((done.operation.state, done.operation.closed), (OperationState::Failed, true));
}
