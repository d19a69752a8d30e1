//! What is to be done with a payment on chain, and how far it is.

use x402_escrow_interface::{Address, instruction::Signature, message::Digest};
use x402_escrow_wire::{
    auth_capture::{Commitment, Level},
    error_code::ErrorCode,
};

use super::attempt::{Attempt, AttemptState, Problem};

/// Something to be done with a payment on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Hold the intent's amount.
    Authorize,
    /// Transfer the payment's amount at once. Its transaction is the client's, so it is never made anew.
    Transfer,
    /// Pay the receiver at once, without a hold.
    Charge {
        /// What is paid, in base units.
        amount: u64,
        /// The most of it that goes to the fee recipient, in base units.
        fee: u64,
        /// Whether the capture is the last: then it may be of less than the intent's amount.
        last: bool,
        /// The capture authorizer's over the capture; `None` where the intent is its consent.
        signature: Option<Signature>,
    },
    /// Pay the receiver.
    Capture {
        /// What is captured afterwards, in base units.
        amount: u64,
        /// The most of it that goes to the fee recipient, in base units.
        fee: u64,
        /// Whether the rest is released.
        last: bool,
        /// By the capture authorizer.
        signature: Signature,
    },
    /// Release what is above `amount`.
    Void {
        /// What the payment ends at, in base units.
        amount: u64,
        /// By the receiver authorizer.
        signature: Signature,
    },
    /// Pay the receiver out of the last voucher of a streamed hold, and release the rest.
    Close {
        /// What the payment ends at, in base units: all that was bought and served.
        amount: u64,
        /// The voucher's amount, in base units: at least that.
        bound: u64,
        /// The most of it that goes to the fee recipient, in base units.
        fee: u64,
        /// The voucher's: by the capture authorizer, which is the session key.
        signature: Signature,
        /// By the receiver authorizer over the release at `amount`.
        release: Signature,
    },
    /// Return captured money to the escrow: a deposit that names the payment. Its transaction carries the receiver's
    /// signature, so it is never made anew.
    Refund {
        /// All that is refunded afterwards, in base units.
        amount: u64,
        /// What this refund adds, in base units.
        returns: u64,
    },
    /// Release what is left after the capture deadline. Needs nobody's signature.
    Reclaim,
}

impl Action {
    /// Whether its only transaction was signed by somebody else too: it can be repeated, and not made anew.
    pub fn is_signed_elsewhere(&self) -> bool {
        matches!(self, Self::Transfer | Self::Refund { .. })
    }

    /// How far it is when it is accepted: a transfer is stored with its transaction.
    pub fn first_state(&self) -> OperationState {
        if *self == Self::Transfer { OperationState::Sent } else { OperationState::Queued }
    }

    /// Whether a payment begins with it.
    pub fn begins_payment(&self) -> bool {
        self.settles_intent() || *self == Self::Transfer
    }

    /// Whether it is what a client's intent is settled by. Who settles it waits for it, and is told no if it can't be done
    /// now: then it must not be done later.
    pub fn settles_intent(&self) -> bool {
        matches!(self, Self::Authorize | Self::Charge { .. })
    }

    /// The name in the store and in answers.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Transfer => "transfer",
            Self::Charge { .. } => "charge",
            Self::Capture { .. } => "capture",
            Self::Void { .. } => "void",
            Self::Close { .. } => "close",
            Self::Refund { .. } => "refund",
            Self::Reclaim => "reclaim",
        }
    }
}

/// What makes two operations of a payment equal. The signature may differ: any valid one permits the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationKey {
    /// The action's name.
    pub kind: &'static str,
    /// The action's amount, in base units; 0 if it has none.
    pub amount: u64,
    /// The fee of a capture, in base units.
    pub fee: u64,
    /// Whether a capture releases the rest.
    pub last: bool,
    /// What a refund adds, in base units.
    pub returns: u64,
}

impl OperationKey {
    /// The key of `action` on a payment of `amount` base units.
    pub fn of(action: &Action, amount: u64) -> Self {
        let key = Self { kind: action.kind(), amount: 0, fee: 0, last: false, returns: 0 };
        match *action {
            Action::Authorize | Action::Transfer => Self { amount, ..key },
            Action::Charge { amount, fee, last, .. } | Action::Capture { amount, fee, last, .. } => {
                Self { amount, fee, last, ..key }
            }
            Action::Close { amount, fee, .. } => Self { amount, fee, last: true, ..key },
            Action::Void { amount, .. } => Self { amount, ..key },
            Action::Refund { amount, returns } => Self { amount, returns, ..key },
            Action::Reclaim => key,
        }
    }
}

/// An action that was accepted: the verifier owes it until it is on chain for good, or never can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Order of acceptance.
    pub id: i64,
    /// The payment.
    pub payment_id: Digest,
    /// What is to be done.
    pub action: Action,
    /// How sure it must be before the answer is yes, for the strictest caller so far.
    pub commitment: Level,
    /// When it was accepted, unix seconds.
    pub accepted_at: i64,
    /// How far it is.
    pub state: OperationState,
    /// Whether nothing can change its state any more.
    pub closed: bool,
    /// Why it was refused, failed, or has not been sent yet.
    pub problem: Option<Problem>,
}

impl Operation {
    /// One that was accepted a moment ago, at `accepted_at`, unix seconds.
    pub fn accepted(
        id: i64,
        payment_id: Digest,
        action: Action,
        commitment: Level,
        accepted_at: i64,
    ) -> Self {
        let (state, closed, problem) = (action.first_state(), false, None);
        Self { id, payment_id, action, commitment, accepted_at, state, closed, problem }
    }

    /// How far it is; `None` if it came to nothing. Stored is as good as done, unless something is known that keeps it
    /// from being sent.
    pub fn level(&self) -> Option<Level> {
        match self.state {
            OperationState::Landed(commitment) => Some(commitment.into()),
            // Nothing is set aside for it meanwhile.
            _ if self.action == Action::Transfer => None,
            OperationState::Queued | OperationState::Sent => {
                self.problem.is_none().then_some(Level::Reserved)
            }
            OperationState::Failed | OperationState::Refused => None,
        }
    }

    /// How far it is, as merchants are told: not on chain is `unsettled`, whatever the reason.
    pub fn status(&self) -> &'static str {
        match self.state {
            OperationState::Queued | OperationState::Sent => "unsettled",
            OperationState::Refused if self.action == Action::Transfer => AttemptState::Expired.as_str(),
            other => other.as_str(),
        }
    }

    /// Whether it is at least as sure as `required`.
    pub fn has_reached(&self, required: Level) -> bool {
        self.level().is_some_and(|level| level >= required)
    }

    /// Why it came to nothing as far as is known now.
    pub fn failure(&self) -> Option<Problem> {
        let unknown = || Problem {
            code: ErrorCode::InvalidTransactionState,
            message: "the transaction failed".to_owned(),
        };
        self.state.is_negative().then(|| self.problem.clone().unwrap_or_else(unknown))
    }

    /// Whether it can't succeed any more; an equal request may take it up again.
    pub fn came_to_nothing(&self) -> bool {
        self.closed && self.state.is_negative()
    }
}

/// How far an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationState {
    /// To be sent: no transaction of it can land any more, or none was made yet.
    Queued,
    /// A transaction was sent that the cluster has not shown in a block, or not any more.
    Sent,
    /// In a block.
    Landed(Commitment),
    /// In a block, and failed: nothing moved.
    Failed,
    /// Never on chain: the simulation said that it would fail, or time ran out.
    Refused,
}

impl OperationState {
    /// The name in the store and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Landed(commitment) => commitment.as_str(),
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }

    /// Whether it is in a block and did what it should.
    pub fn has_landed(self) -> bool {
        matches!(self, Self::Landed(_))
    }

    /// Whether it is in a block at least as final as `commitment`.
    pub fn has_reached(self, commitment: Commitment) -> bool {
        matches!(self, Self::Landed(reached) if reached >= commitment)
    }

    /// Whether it came to nothing.
    pub fn is_negative(self) -> bool {
        matches!(self, Self::Failed | Self::Refused)
    }
}

/// An operation and its transactions, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// The operation.
    pub operation: Operation,
    /// Its transactions.
    pub attempts: Vec<Attempt>,
}

impl Tracked {
    /// The transaction that tells how far the operation is: the one that succeeded, else the newest.
    pub fn decisive_attempt(&self) -> Option<&Attempt> {
        let succeeded =
            |attempt: &&Attempt| attempt.state.landing().is_some_and(|landing| landing.error.is_none());
        self.attempts.iter().find(succeeded).or_else(|| self.attempts.last())
    }

    /// The slot of the block that it is in; `None` if it is in none.
    pub fn slot(&self) -> Option<u64> {
        let landing = self.decisive_attempt()?.state.landing()?;
        self.operation.state.has_landed().then_some(landing.slot)
    }
}

/// An operation, and what matters of its payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedOperation {
    /// The operation.
    pub operation: Operation,
    /// The escrow that pays, if one does.
    pub escrow: Option<Address>,
    /// Who is paid.
    pub receiver: Address,
    /// The token's mint, as base58.
    pub asset: String,
    /// What the payment authorizes, in base units.
    pub authorized: u64,
    /// The payment's last second for captures.
    pub capture_deadline: i64,
}
