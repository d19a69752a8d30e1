//! A payment's state and sums, which follow from its operations.

use serde::Serialize;
use x402_escrow_wire::auth_capture::Commitment;

use super::{
    Action, Attempt, HoldTerms, Operation, OperationKey, OperationState, Payment, Problem, Sums, Tracked,
    Voucher, sums,
};

/// A payment and all that was done with it, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The payment.
    pub payment: Payment,
    /// The operations; the first is the authorization, the transfer or the charge.
    pub operations: Vec<Tracked>,
    /// The last voucher, if the hold is streamed and any came.
    pub voucher: Option<Voucher>,
}

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentState {
    /// Accepted, but not in a block that the verifier knows of, or not any more.
    Unsettled,
    /// Held.
    Authorized,
    /// Partly captured; the rest is still held.
    Captured,
    /// Nothing is held any more.
    Ended,
    /// Transferred or charged at once.
    Paid,
    /// The authorization, the transfer or the charge failed on chain: nothing moved.
    Failed,
    /// The authorization, the transfer or the charge was never on chain, and will not be.
    Refused,
}

impl PaymentState {
    /// The name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsettled => "unsettled",
            Self::Authorized => "authorized",
            Self::Captured => "captured",
            Self::Ended => "ended",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

/// What an operation would be lost with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RestsOn {
    /// A balance that nothing is held of: until it is on chain, others can spend it.
    Balance,
    /// A hold in a block that the verifier has seen.
    ProcessedHold,
    /// A hold that two thirds of the stake voted for.
    ConfirmedHold,
    /// A hold that no fork can take away any more.
    FinalizedHold,
}

impl History {
    /// A payment that was accepted a moment ago, by its first operation.
    pub fn begun(payment: Payment, operation: Operation, attempts: Vec<Attempt>) -> Self {
        Self { payment, operations: vec![Tracked { operation, attempts }], voucher: None }
    }

    /// What is held, if the payment is held first.
    pub fn hold(&self) -> Option<&HoldTerms> {
        self.payment.hold()
    }

    /// What the payer's session key signed, if the payment is held or charged.
    pub fn intent(&self) -> Option<&HoldTerms> {
        self.payment.intent()
    }

    /// Whether nothing but what it begins with was accepted, or only what came to nothing.
    pub fn is_untouched(&self) -> bool {
        let mut later = self.operations.iter().skip(1);
        later.all(|tracked| tracked.operation.state.is_negative())
    }

    /// The sums as far as they are on chain.
    pub fn settled_sums(&self) -> Sums {
        self.sums_where(OperationState::has_landed)
    }

    /// The sums as they will be once all that was accepted is on chain.
    pub fn accepted_sums(&self) -> Sums {
        self.sums_where(|state| !state.is_negative())
    }

    /// The known operation that is equal to `action`, if there is one.
    pub fn equal_to(&self, action: &Action) -> Option<&Operation> {
        let key = |action| OperationKey::of(action, self.payment.amount);
        let mut operations = self.operations.iter().map(|tracked| &tracked.operation);
        operations.find(|known| key(&known.action) == key(action))
    }

    /// The accepted operation after which nothing is left to do for `action`, if there is one.
    pub fn done_by(&self, action: &Action) -> Option<&Operation> {
        let mut sums = Sums::of(self.payment.amount, [], |_| true);
        let accepted = sums::in_order(&self.operations).map(|tracked| &tracked.operation);
        accepted.filter(|operation| !operation.state.is_negative()).find(|operation| {
            sums.apply(&operation.action);
            sums.are_after(action)
        })
    }

    /// The capture that `action` includes and of which no transaction was ever made, if there is one.
    pub fn unsent_below(&self, action: &Action) -> Option<&Operation> {
        let (Action::Capture { amount, fee, .. } | Action::Close { amount, fee, .. }) = *action else {
            return None;
        };
        let is_included = |known: &Action| {
            matches!(*known, Action::Capture { amount: lower, fee: least, last: false, .. }
                if lower < amount && least <= fee)
        };
        let unsent = self.operations.iter().filter(|tracked| tracked.attempts.is_empty());
        unsent
            .map(|tracked| &tracked.operation)
            .find(|operation| operation.state == OperationState::Queued && is_included(&operation.action))
    }

    /// Why an operation came to nothing as far as is known now.
    pub fn failure_of(&self, operation_id: i64) -> Option<Problem> {
        let mut operations = self.operations.iter().map(|tracked| &tracked.operation);
        operations.find(|operation| operation.id == operation_id)?.failure()
    }

    /// What is still to be captured of the last voucher.
    pub fn uncaptured(&self) -> Option<Action> {
        let voucher = self.voucher?;
        let sums = self.accepted_sums();
        (sums.captured < voucher.amount && voucher.amount <= sums.ends_at).then(|| voucher.capture())
    }

    /// What is returned to the escrow, or under way to it, in base units.
    pub fn refunds_made(&self) -> u64 {
        let operations = self.operations.iter().map(|tracked| &tracked.operation);
        let returns =
            operations.filter(|operation| !operation.came_to_nothing()).filter_map(
                |operation| match operation.action {
                    Action::Refund { returns, .. } => Some(returns),
                    _ => None,
                },
            );
        returns.fold(0, u64::saturating_add)
    }

    /// The sums as far as they are on chain at least as finally as `commitment`.
    pub fn sums_at(&self, commitment: Commitment) -> Sums {
        self.sums_where(|state| state.has_reached(commitment))
    }

    fn sums_where(&self, counts: impl Fn(OperationState) -> bool) -> Sums {
        let operations = sums::in_order(&self.operations).map(|tracked| &tracked.operation);
        Sums::of(self.payment.amount, operations, counts)
    }

    /// Whether nothing can change any more: the payment ended or came to nothing, and that is final.
    pub fn is_over(&self) -> bool {
        let has_ended = matches!(
            self.state(),
            PaymentState::Ended | PaymentState::Paid | PaymentState::Failed | PaymentState::Refused
        );
        has_ended && self.operations.iter().all(|tracked| tracked.operation.closed)
    }

    /// How far the authorization, the transfer or the charge is, with which the payment begins.
    pub fn authorization(&self) -> OperationState {
        self.operations.first().map_or(OperationState::Queued, |tracked| tracked.operation.state)
    }

    /// What `action` on this payment rests on now.
    pub fn rests_on(&self, action: &Action) -> RestsOn {
        match action {
            Action::Authorize | Action::Transfer | Action::Charge { .. } => RestsOn::Balance,
            _ => self.rests_on_hold(),
        }
    }

    /// What a capture or a voucher rests on now.
    pub fn rests_on_hold(&self) -> RestsOn {
        match self.authorization() {
            OperationState::Landed(Commitment::Processed) => RestsOn::ProcessedHold,
            OperationState::Landed(Commitment::Confirmed) => RestsOn::ConfirmedHold,
            OperationState::Landed(Commitment::Finalized) => RestsOn::FinalizedHold,
            // Its block was dropped: it is to be held again.
            _ => RestsOn::Balance,
        }
    }

    /// Where the payment stands.
    pub fn state(&self) -> PaymentState {
        match self.authorization() {
            OperationState::Queued | OperationState::Sent => PaymentState::Unsettled,
            OperationState::Failed => PaymentState::Failed,
            OperationState::Refused => PaymentState::Refused,
            OperationState::Landed(_) if self.payment.hold().is_none() => PaymentState::Paid,
            OperationState::Landed(_) => {
                let sums = self.settled_sums();
                if sums.captured >= sums.ends_at {
                    PaymentState::Ended
                } else if sums.captured > 0 {
                    PaymentState::Captured
                } else {
                    PaymentState::Authorized
                }
            }
        }
    }
}
