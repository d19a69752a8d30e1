//! Operations whose only transaction somebody else signed too: transfers and refunds. Decides only.

use x402_escrow_wire::error_code::ErrorCode;

use crate::{
    exact,
    payment::{Action, Problem},
};

/// Why an operation is refused whose only transaction is lost.
pub(super) fn expired(action: &Action) -> Problem {
    if *action == Action::Transfer {
        return exact::failure::expired();
    }
    Problem {
        code: ErrorCode::RefundInvalid,
        message: "no block took the refund's transaction in time, and none can any more: nothing moved, ask for a new one"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use solana_sdk::{instruction::InstructionError, transaction::TransactionError};
    use x402_escrow_wire::{auth_capture::Commitment, error_code::ErrorCode};

    use crate::{
        advance::{
            Next,
            tests::{LAST_VALID, landed, step, tracked},
        },
        cluster::Status,
        payment::{Action, AttemptState, OperationState, Tracked},
    };

    fn transfer() -> Tracked {
        let mut transfer = tracked(&[AttemptState::Sent]);
        transfer.operation.action = Action::Transfer;
        transfer
    }

    #[test]
    fn a_transfer_is_repeated_while_a_block_can_have_it_and_lost_once_no_final_one_has() {
        let mut unseen = transfer();
        assert_eq!(step(&mut unseen, &[None], LAST_VALID), (Next::Repeat, OperationState::Sent, false));
        for height in [LAST_VALID + 1, LAST_VALID + 32] {
            assert_eq!(step(&mut unseen, &[None], height), (Next::Wait, OperationState::Sent, false));
        }
        let lost = (Next::Wait, OperationState::Refused, true);
        assert_eq!(step(&mut unseen, &[None], LAST_VALID + 33), lost);
        assert_eq!(unseen.operation.problem.unwrap().code, ErrorCode::ExactTransactionFailed);
    }

    #[test]
    fn a_transfer_is_followed_until_final_and_a_dropped_block_undoes_it() {
        let mut seen = transfer();
        for commitment in [Commitment::Processed, Commitment::Confirmed] {
            let expected = (Next::Wait, OperationState::Landed(commitment), false);
            assert_eq!(step(&mut seen, &[Some(landed(9, commitment))], 10), expected);
        }
        assert_eq!(step(&mut seen, &[None], 10), (Next::Repeat, OperationState::Sent, false));
        assert_eq!(seen.operation.level(), None);
        let landed = Some(landed(9, Commitment::Finalized));
        let expected = (Next::Wait, OperationState::Landed(Commitment::Finalized), true);
        assert_eq!(step(&mut seen, &[landed], 10), expected);
    }

    #[test]
    fn a_transfers_failure_counts_once_it_is_confirmed() {
        let failed = |commitment| {
            let error = TransactionError::InstructionError(2, InstructionError::Custom(1));
            [Some(Status { error: Some(error), ..landed(9, commitment) })]
        };
        let mut failing = transfer();
        step(&mut failing, &failed(Commitment::Processed), 10);
        assert_eq!((failing.operation.state, failing.operation.level()), (OperationState::Sent, None));
        let expected = (Next::Wait, OperationState::Failed, false);
        assert_eq!(step(&mut failing, &failed(Commitment::Confirmed), 10), expected);
        let problem = failing.operation.problem.clone().unwrap();
        assert_eq!(problem.code, ErrorCode::ExactTransactionFailed);
        assert!(problem.message.contains("not enough tokens"), "{}", problem.message);
        let expected = (Next::Wait, OperationState::Failed, true);
        assert_eq!(step(&mut failing, &failed(Commitment::Finalized), 10), expected);
    }

    #[test]
    fn a_refund_that_no_block_took_in_time_is_refused() {
        let mut unseen = transfer();
        unseen.operation.action = Action::Refund { amount: 1, returns: 1 };
        let lost = (Next::Wait, OperationState::Refused, true);
        assert_eq!(step(&mut unseen, &[None], LAST_VALID + 33), lost);
        assert_eq!(unseen.operation.problem.unwrap().code, ErrorCode::RefundInvalid);
    }
}
