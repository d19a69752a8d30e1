//! How a payment goes on, given what the cluster says about its transaction. Decides only; [`super::follow`] acts.

use solana_sdk::{instruction::InstructionError, transaction::TransactionError};
use x402_escrow_wire::{auth_capture::Commitment, error_code::ErrorCode};

use crate::cluster::Status;
use crate::exact::payment::Payment;
use crate::{
    lifecycle,
    payment::{AttemptState, Problem},
};

/// A transaction counts as lost only this many blocks after the last one that could have it: by then that one is final,
/// also for a node that is behind the others.
const EXPIRY_MARGIN_BLOCKS: u64 = 32;

/// Brings `payment` up to date. Returns whether its transaction is to be sent again.
pub fn advance(payment: &mut Payment, status: Option<&Status>, block_height: u64) -> bool {
    payment.state = lifecycle::attempt_state(
        &payment.state,
        payment.last_valid_block_height.saturating_add(EXPIRY_MARGIN_BLOCKS),
        status,
        block_height,
        failure,
    );
    payment.closed = match &payment.state {
        AttemptState::Sent => false,
        AttemptState::Landed(landing) => landing.commitment == Commitment::Finalized,
        AttemptState::Expired => true,
    };
    payment.state == AttemptState::Sent && block_height <= payment.last_valid_block_height
}

/// Why the transaction failed in a block.
pub fn failure(error: &TransactionError) -> Problem {
    Problem {
        code: ErrorCode::ExactTransactionFailed,
        message: format!("the transaction failed on chain, and nothing was paid: {}", explain(error)),
    }
}

/// Why the transaction would fail.
pub fn simulation_failure(error: &TransactionError) -> Problem {
    Problem {
        code: ErrorCode::ExactSimulationFailed,
        message: format!("paymentPayload.payload.transaction: would fail: {}", explain(error)),
    }
}

/// What a transaction's error means for whoever wrote the transaction.
fn explain(error: &TransactionError) -> String {
    /// SPL Token's custom error 1.
    const INSUFFICIENT_FUNDS: u32 = 1;
    const TRANSFER: u8 = 2;
    match error {
        TransactionError::BlockhashNotFound => {
            "its blockhash has expired, or the node does not know it yet; make a new transaction".to_owned()
        }
        TransactionError::AlreadyProcessed => "it is on chain already".to_owned(),
        TransactionError::InstructionError(TRANSFER, InstructionError::Custom(INSUFFICIENT_FUNDS)) => {
            "the payer has not enough tokens".to_owned()
        }
        TransactionError::InstructionError(TRANSFER, InstructionError::InvalidAccountData) => {
            "the payer's or the receiver's associated token account does not exist".to_owned()
        }
        other => other.to_string(),
    }
}

/// Whether a simulation failed for want of the fee payer's SOL, which is not the client's fault.
pub fn is_fee_payer_empty(error: &TransactionError) -> bool {
    matches!(
        error,
        TransactionError::AccountNotFound
            | TransactionError::InsufficientFundsForFee
            | TransactionError::InsufficientFundsForRent { account_index: 0 }
    )
}

#[cfg(test)]
mod tests {
    use x402_escrow_interface::Address;

    use super::*;

    const LAST_VALID: u64 = 150;

    fn payment() -> Payment {
        Payment {
            id: [1; 32],
            payer: Address::default(),
            mint: Address::default(),
            receiver: Address::default(),
            destination: Address::default(),
            amount: 5,
            signature: [2; 64],
            transaction: Vec::new(),
            last_valid_block_height: LAST_VALID,
            accepted_at: 0,
            state: AttemptState::Sent,
            closed: false,
            claimed: false,
        }
    }

    fn status(commitment: Commitment, error: Option<TransactionError>) -> Status {
        Status { slot: 9, confirmations: 1, commitment, error }
    }

    #[test]
    fn an_unseen_transaction_is_sent_again_while_a_block_can_have_it_and_lost_once_no_final_one_has() {
        let mut unseen = payment();
        assert!(advance(&mut unseen, None, LAST_VALID));
        for height in [LAST_VALID + 1, LAST_VALID + EXPIRY_MARGIN_BLOCKS] {
            assert!(!advance(&mut unseen, None, height));
            assert_eq!((&unseen.state, unseen.closed), (&AttemptState::Sent, false), "{height}");
            assert!(!unseen.came_to_nothing());
        }
        assert!(!advance(&mut unseen, None, LAST_VALID + EXPIRY_MARGIN_BLOCKS + 1));
        assert_eq!((&unseen.state, unseen.closed), (&AttemptState::Expired, true));
        assert!(unseen.came_to_nothing());
    }

    #[test]
    fn a_transaction_is_followed_until_final_and_a_dropped_block_undoes_it() {
        let mut seen = payment();
        for commitment in [Commitment::Processed, Commitment::Confirmed] {
            assert!(!advance(&mut seen, Some(&status(commitment, None)), 10));
            assert!(seen.has_reached(commitment) && !seen.closed);
        }
        assert!(advance(&mut seen, None, 10), "it is sent again");
        assert!(!seen.has_reached(Commitment::Processed));
        advance(&mut seen, Some(&status(Commitment::Finalized, None)), 10);
        assert!(seen.closed);
    }

    #[test]
    fn a_failure_counts_once_it_is_confirmed() {
        let error = || Some(TransactionError::InstructionError(2, InstructionError::Custom(1)));
        let mut failed = payment();
        advance(&mut failed, Some(&status(Commitment::Processed, error())), 10);
        assert!(!failed.came_to_nothing() && !failed.has_reached(Commitment::Processed));
        advance(&mut failed, Some(&status(Commitment::Confirmed, error())), 10);
        assert!(failed.came_to_nothing() && !failed.closed);
        let problem = failed.state.landing().unwrap().error.clone().unwrap();
        assert_eq!(problem.code, ErrorCode::ExactTransactionFailed);
        assert!(problem.message.contains("not enough tokens"), "{}", problem.message);
    }
}
