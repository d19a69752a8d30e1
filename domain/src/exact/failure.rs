//! Why a client's transaction came to nothing, for its writer.

use solana_sdk::{instruction::InstructionError, transaction::TransactionError};
use x402_escrow_wire::error_code::ErrorCode;

use crate::payment::Problem;

/// Why the transaction failed in a block.
pub fn on_chain(error: &TransactionError) -> Problem {
    Problem {
        code: ErrorCode::ExactTransactionFailed,
        message: format!("the transaction failed on chain, and nothing was paid: {}", explain(error)),
    }
}

/// Why the transaction would fail.
pub fn in_simulation(error: &TransactionError) -> Problem {
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

/// Why a transaction is refused that no block took in time.
pub fn expired() -> Problem {
    Problem {
        code: ErrorCode::ExactTransactionFailed,
        message: "the transaction expired before a block took it, and nothing was paid; make a new one"
            .to_owned(),
    }
}
