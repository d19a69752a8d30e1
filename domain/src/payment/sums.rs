//! The sums of a payment's operations.

use super::{Action, Operation, OperationState, Tracked};

/// A payment's sums, in base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sums {
    /// The most that can be captured in all.
    pub ends_at: u64,
    /// What was captured, including the fee.
    pub captured: u64,
    /// The part of `captured` that is the fee recipient's. The program pays it to the receiver where the fee recipient's
    /// token account can't receive it.
    pub fee: u64,
    /// The part of `captured` that the receiver returned.
    pub refunded: u64,
}

impl Sums {
    /// What can still be captured.
    pub fn left(&self) -> u64 {
        self.ends_at.saturating_sub(self.captured)
    }

    /// The sums of a payment of `amount`, as those of its `operations` make them that count.
    pub fn of<'a>(
        amount: u64,
        operations: impl IntoIterator<Item = &'a Operation>,
        counts: impl Fn(OperationState) -> bool,
    ) -> Self {
        let mut sums = Self { ends_at: amount, captured: 0, fee: 0, refunded: 0 };
        for operation in operations.into_iter().filter(|operation| counts(operation.state)) {
            sums.apply(&operation.action);
        }
        sums
    }

    pub(super) fn apply(&mut self, action: &Action) {
        match *action {
            Action::Authorize => {}
            Action::Transfer => self.captured = self.ends_at,
            Action::Reclaim => self.ends_at = self.captured,
            Action::Charge { amount, fee, .. } => {
                self.capture(amount, fee);
                self.end_at(amount);
            }
            Action::Capture { amount, fee, last, .. } => {
                self.capture(amount, fee);
                if last {
                    self.end_at(amount);
                }
            }
            Action::Close { amount, fee, .. } => {
                self.capture(amount, fee);
                self.end_at(amount);
            }
            Action::Refund { returns, .. } => self.refunded = self.refunded.saturating_add(returns),
            Action::Void { amount, .. } => self.end_at(amount),
        }
    }

    /// As the program splits a payment, for a fee that is not above the maximum.
    fn capture(&mut self, amount: u64, fee: u64) {
        let paid = amount.min(self.ends_at).saturating_sub(self.captured);
        self.captured = self.captured.saturating_add(paid);
        self.fee = self.fee.saturating_add(fee.saturating_sub(self.fee).min(paid));
    }

    fn end_at(&mut self, amount: u64) {
        self.ends_at = self.ends_at.min(amount.max(self.captured));
    }

    /// Whether nothing would be left to do for `action`.
    pub(super) fn are_after(&self, action: &Action) -> bool {
        match *action {
            Action::Capture { amount, last: false, .. } => amount > 0 && self.captured >= amount,
            Action::Capture { amount, .. } | Action::Close { amount, .. } => {
                self.captured >= amount && self.ends_at <= amount
            }
            Action::Void { amount, .. } => self.ends_at <= amount.max(self.captured),
            Action::Authorize
            | Action::Transfer
            | Action::Charge { .. }
            | Action::Refund { .. }
            | Action::Reclaim => false,
        }
    }
}

/// Operations in the order of their blocks, since what somebody else did is found later; within a block, as most is captured;
/// then those that are in none.
pub(super) fn in_order(operations: &[Tracked]) -> impl Iterator<Item = &Tracked> {
    let mut ordered: Vec<_> = operations.iter().collect();
    ordered.sort_by_key(|tracked| (tracked.slot().unwrap_or(u64::MAX), ends(&tracked.operation.action)));
    ordered.into_iter()
}

/// Whether nothing is captured after it.
fn ends(action: &Action) -> bool {
    matches!(
        action,
        Action::Void { .. } | Action::Reclaim | Action::Close { .. } | Action::Capture { last: true, .. }
    )
}
