//! Why a client's transaction came to nothing, for its writer.

use solana_sdk::{
    instruction::InstructionError,
    transaction::{TransactionError, VersionedTransaction},
};
use x402_escrow_wire::error_code::ErrorCode;

use super::instructions::LIGHTHOUSE_PROGRAM_ID;
use crate::payment::Problem;

/// Why the transaction failed in a block.
pub fn on_chain(error: &TransactionError) -> Problem {
    Problem {
        code: ErrorCode::ExactTransactionFailed,
        message: format!("the transaction failed on chain, and nothing was paid: {}", explain(error)),
    }
}

/// Why `transaction` would fail.
pub fn in_simulation(transaction: &VersionedTransaction, error: &TransactionError) -> Problem {
    let reason = guard(transaction, error).unwrap_or_else(|| explain(error));
    Problem {
        code: ErrorCode::ExactSimulationFailed,
        message: format!("paymentPayload.payload.transaction: would fail: {reason}"),
    }
}

/// Why, if it would fail at a wallet's guard.
fn guard(transaction: &VersionedTransaction, error: &TransactionError) -> Option<String> {
    let TransactionError::InstructionError(index, error) = error else { return None };
    let message = &transaction.message;
    let program = message.instructions().get(usize::from(*index))?.program_id_index;
    let is_guard = message.static_account_keys().get(usize::from(program)) == Some(&LIGHTHOUSE_PROGRAM_ID);
    is_guard.then(|| {
        format!(
            "instruction {}, a guard that the payer's wallet added, does not hold ({error}): an account is not as the \
             wallet saw it; sign a new transaction",
            index + 1
        )
    })
}

/// What a transaction's error means for whoever wrote the transaction.
fn explain(error: &TransactionError) -> String {
    /// SPL Token's custom error 1.
    const INSUFFICIENT_FUNDS: u32 = 1;
    match error {
        TransactionError::BlockhashNotFound => {
            "its blockhash has expired, or the node does not know it yet; make a new transaction".to_owned()
        }
        TransactionError::AlreadyProcessed => "it is on chain already".to_owned(),
        TransactionError::InstructionError(_, InstructionError::Custom(INSUFFICIENT_FUNDS)) => {
            "the payer has not enough tokens".to_owned()
        }
        TransactionError::InstructionError(_, InstructionError::InvalidAccountData) => {
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

#[cfg(test)]
mod tests {
    use solana_sdk::{
        instruction::Instruction,
        message::{Message, VersionedMessage},
    };
    use x402_escrow_interface::Address;

    use super::*;

    #[test]
    fn a_guard_that_does_not_hold_is_told_as_one() {
        let instruction = |program_id| Instruction { program_id, accounts: Vec::new(), data: Vec::new() };
        let other = Address::new_from_array([7; 32]);
        let instructions = [instruction(other), instruction(LIGHTHOUSE_PROGRAM_ID)];
        let transaction = VersionedTransaction {
            signatures: Vec::new(),
            message: VersionedMessage::Legacy(Message::new(&instructions, Some(&other))),
        };
        let told = |index| {
            let error = TransactionError::InstructionError(index, InstructionError::Custom(1));
            in_simulation(&transaction, &error).message
        };
        assert!(told(1).contains("instruction 2, a guard that the payer's wallet added"), "{}", told(1));
        assert!(told(0).contains("the payer has not enough tokens"), "{}", told(0));
    }
}
