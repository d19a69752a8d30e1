//! What a transaction's error means: which rule was broken, and whether trying again can help. Uses `exact`, `payment`,
//! `transaction`.

use solana_sdk::{instruction::InstructionError, transaction::TransactionError};
use x402_escrow_interface::error::EscrowError;
use x402_escrow_wire::error_code::ErrorCode;

use crate::{
    exact,
    payment::{Action, Attempt, Problem},
    transaction,
};

/// Where in a transaction an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the first operation's instruction.
    first: u8,
    /// Which of the operations it is; `None` if it is the only one.
    position: Option<u8>,
}

impl Place {
    /// Where the operation is that `attempt` is to carry out.
    pub fn of(attempt: &Attempt) -> Self {
        Self { first: transaction::first_operation(&attempt.transaction), position: attempt.position }
    }

    /// Whether the transaction carries others.
    pub fn is_shared(&self) -> bool {
        self.position.is_some()
    }

    /// Whether it is this operation that failed with `error`.
    pub fn is_culprit(&self, error: &TransactionError) -> bool {
        self.culprit(error).is_some_and(|culprit| culprit == self.position.unwrap_or(0))
    }

    /// Which of a transaction's operations failed with `error`. None where that says nothing about any: compute units are
    /// shared, so whoever runs out of them need not be who took them.
    pub fn culprit(&self, error: &TransactionError) -> Option<u8> {
        use InstructionError as E;
        match error {
            TransactionError::InstructionError(
                _,
                E::ComputationalBudgetExceeded
                | E::ProgramFailedToComplete
                | E::MaxInstructionTraceLengthExceeded,
            ) => None,
            TransactionError::InstructionError(index, _) => index.checked_sub(self.first),
            _ => None,
        }
    }
}

/// Whether an operation that failed can still succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prospect {
    /// With another blockhash, at once.
    Retry,
    /// After somebody did something: put SOL into the fee payer, thaw the receiver's token account.
    Later,
    /// Perhaps it was done already, by somebody else: that is to be looked for.
    Unsure,
    /// Never.
    Never,
}

/// Whether an operation with this prospect is given up. An authorization or a charge is answered now, so what may succeed later is a
/// no, and a refund has one transaction. A capture is money: it is kept until it can't succeed any more.
pub fn is_refused(prospect: Prospect, action: &Action) -> bool {
    match prospect {
        Prospect::Retry | Prospect::Unsure => false,
        Prospect::Later => action.settles_intent() || action.is_signed_elsewhere(),
        Prospect::Never => true,
    }
}

/// Explains what `error` of a transaction means for its `action` at `place`.
pub fn explain(action: &Action, place: Place, error: &TransactionError) -> (Prospect, Problem) {
    let problem = |code, message: String| Problem { code, message };
    if *action == Action::Transfer {
        return (Prospect::Never, exact::failure::on_chain(error));
    }
    let culprit = place.culprit(error);
    if place.is_shared() && culprit.is_some() && !place.is_culprit(error) {
        return (Prospect::Retry, problem(ErrorCode::SettlementPending, ANOTHER_FAILED.to_owned()));
    }
    match error {
        error if OF_LOOKUP_TABLES.contains(error) => {
            (Prospect::Retry, problem(ErrorCode::UnexpectedSettleError, error.to_string()))
        }
        TransactionError::BlockhashNotFound
        | TransactionError::AccountInUse
        | TransactionError::ClusterMaintenance
        | TransactionError::TooManyAccountLocks
        | TransactionError::WouldExceedMaxBlockCostLimit
        | TransactionError::WouldExceedMaxAccountCostLimit
        | TransactionError::WouldExceedAccountDataBlockLimit => {
            (Prospect::Retry, problem(ErrorCode::UnexpectedSettleError, error.to_string()))
        }
        TransactionError::AccountNotFound
        | TransactionError::InsufficientFundsForFee
        | TransactionError::InsufficientFundsForRent { .. } => {
            (Prospect::Later, problem(ErrorCode::UnexpectedSettleError, FEE_PAYER_IS_EMPTY.to_owned()))
        }
        TransactionError::InstructionError(index, InstructionError::Custom(code))
            if *index == place.first.saturating_add(place.position.unwrap_or(0)) =>
        {
            explain_custom(action, *code)
        }
        // A limit that they share: it says of none of them that it can't succeed alone.
        _ if place.is_shared() && culprit.is_none() => {
            (Prospect::Retry, problem(ErrorCode::SettlementPending, SHARED_LIMIT.to_owned()))
        }
        other => (
            if action.settles_intent() { Prospect::Never } else { Prospect::Later },
            problem(ErrorCode::InvalidTransactionState, described(action, place, other)),
        ),
    }
}

/// A token account that was closed has no data, and that is what both token programs say. An escrow or a session that was
/// closed fails with another error.
fn described(action: &Action, place: Place, error: &TransactionError) -> String {
    let is_no_data =
        matches!(error, TransactionError::InstructionError(_, InstructionError::InvalidAccountData));
    match action {
        Action::Charge { .. } if is_no_data && place.is_culprit(error) => {
            format!("{error}; {IS_RECEIVER_READY}")
        }
        _ => error.to_string(),
    }
}

/// Whether a charge failed since its receiver's token account takes nothing, going by what was [`explain`]ed to it. Only
/// the receiver or the token's issuer can bring that about, and no payer.
pub fn is_of_receiver(action: &Action, problem: &Problem) -> bool {
    matches!(action, Action::Charge { .. }) && problem.message.ends_with(IS_RECEIVER_READY)
}

/// Whether a transaction failed for what its operations are together, or for one of them that nothing names, going by what
/// was [`explain`]ed to one: each alone may succeed.
pub fn is_shared(problem: &Problem) -> bool {
    problem.message == SHARED_LIMIT
}

/// Errors of a transaction's lookup tables. They say nothing about its operations.
pub const OF_LOOKUP_TABLES: [TransactionError; 4] = [
    TransactionError::AddressLookupTableNotFound,
    TransactionError::InvalidAddressLookupTableOwner,
    TransactionError::InvalidAddressLookupTableData,
    TransactionError::InvalidAddressLookupTableIndex,
];

/// Whether a transaction failed for another of its operations, going by what was [`explain`]ed to this one.
pub fn is_of_another(problem: &Problem) -> bool {
    problem.message == ANOTHER_FAILED
}

const ANOTHER_FAILED: &str = "another operation in the same transaction failed: nothing moved, and this one goes on in another transaction";

/// A charge leaves no account behind that shows whose it was: only a final block tells.
const PERHAPS_CHARGED: &str = "the intent takes no effect any more: somebody else charged it, or it came too late; settle again to learn which";
const SHARED_LIMIT: &str = "the operations in the same transaction were too much together: nothing moved, and this one goes on alone";

const FEE_PAYER_IS_EMPTY: &str = "the verifier's fee payer has not enough SOL for the transaction";

const IS_RECEIVER_READY: &str = "is the receiver's token account there and not frozen?";

/// Anchor's errors begin here. Those of the token programs are below.
const FIRST_ERROR_OF_ANCHOR: u32 = 100;

/// The system program's custom error 1: the account that should pay has too few lamports.
const SYSTEM_RESULT_WITH_NEGATIVE_LAMPORTS: u32 = 1;

fn explain_custom(action: &Action, code: u32) -> (Prospect, Problem) {
    use EscrowError as E;
    match (EscrowError::from_code(code), action) {
        (Some(E::NonceUsed | E::NonceTooOld | E::IntentExpired), Action::Charge { .. }) => (
            Prospect::Unsure,
            Problem { code: ErrorCode::SettlementPending, message: PERHAPS_CHARGED.to_owned() },
        ),
        (Some(error), _) => {
            let message = format!("{}: {}", error.name(), error.message());
            (Prospect::Never, Problem { code: error_code(action, error), message })
        }
        (None, Action::Authorize) if code == SYSTEM_RESULT_WITH_NEGATIVE_LAMPORTS => (
            Prospect::Later,
            Problem { code: ErrorCode::UnexpectedSettleError, message: FEE_PAYER_IS_EMPTY.to_owned() },
        ),
        (None, _) => {
            let message = if code < FIRST_ERROR_OF_ANCHOR {
                // Not the escrow program's, so a program that it called: SPL Token, which refuses a transfer to a frozen
                // account.
                format!("a called program failed with custom error {code}; {IS_RECEIVER_READY}")
            } else {
                format!("the program's framework refused an account with custom error {code}")
            };
            (Prospect::Later, Problem { code: ErrorCode::InvalidTransactionState, message })
        }
    }
}

fn error_code(action: &Action, error: EscrowError) -> ErrorCode {
    use EscrowError as E;
    match error {
        E::InvalidSignature if action.settles_intent() => ErrorCode::SignatureInvalid,
        E::InvalidSignature => ErrorCode::AuthorizerSignatureInvalid,
        E::SessionRevoked => ErrorCode::SessionRevoked,
        E::SessionExpired => ErrorCode::SessionExpired,
        E::ReceiverNotListed | E::FeeNotAllowed => ErrorCode::ReceiverNotAllowed,
        E::PaymentLimitExceeded | E::TotalLimitExceeded | E::PeriodLimitExceeded => ErrorCode::LimitExceeded,
        E::NonceUsed | E::NonceTooOld | E::NonceTooFarAhead => ErrorCode::NonceInvalid,
        E::IntentExpired => ErrorCode::IntentExpired,
        E::DeadlinesOutOfOrder | E::CaptureDeadlineTooFar => ErrorCode::DeadlinesInvalid,
        E::InsufficientFreeBalance => ErrorCode::InsufficientFunds,
        E::CaptureDeadlinePassed | E::LastCaptureNotAllowed => ErrorCode::CaptureInvalid,
        _ => ErrorCode::InvalidTransactionState,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHARGE: Action = Action::Charge { amount: 1, fee: 0, last: true, signature: None };

    /// The second of several operations, whose instructions begin at the third.
    const SECOND: Place = Place { first: 2, position: Some(1) };

    fn is_of_receiver_at(index: u8, action: &Action, error: InstructionError) -> bool {
        let error = TransactionError::InstructionError(index, error);
        is_of_receiver(action, &explain(action, SECOND, &error).1)
    }

    #[test]
    fn a_charge_fails_for_its_receiver_where_the_token_account_is_closed_frozen_or_wants_a_memo() {
        use InstructionError as E;
        const FROZEN: u32 = 17;
        const NO_MEMO: u32 = 36;
        for error in [E::InvalidAccountData, E::Custom(FROZEN), E::Custom(NO_MEMO)] {
            assert!(is_of_receiver_at(3, &CHARGE, error.clone()), "{error:?}");
            assert!(!is_of_receiver_at(2, &CHARGE, error.clone()), "that was another's: {error:?}");
            assert!(!is_of_receiver_at(3, &Action::Authorize, error.clone()), "it pays nobody: {error:?}");
        }
    }

    #[test]
    fn what_a_payer_can_bring_about_is_not_the_receivers() {
        use InstructionError as E;
        const CONSTRAINT_OF_ANCHOR: u32 = 2000;
        let own = [EscrowError::InsufficientFreeBalance, EscrowError::SessionRevoked, EscrowError::NonceUsed];
        let own = own.into_iter().map(|error| E::Custom(error.code()));
        // Of an escrow or a session that was closed.
        let closed = [E::AccountDataTooSmall, E::UninitializedAccount, E::IllegalOwner];
        for error in own.chain(closed).chain([E::Custom(CONSTRAINT_OF_ANCHOR)]) {
            assert!(!is_of_receiver_at(3, &CHARGE, error.clone()), "{error:?}");
        }
    }
}
