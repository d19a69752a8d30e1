//! Which operations are sent now, and which of them together: one transaction costs one fee, whatever it carries. How
//! many fit a transaction is found out when they are sent. What settles an intent goes together with nothing else: a
//! stranger can make it fail, and captures must not wait for that. Uses `failure`, `payment`, `priority_fee`.

use std::collections::BTreeMap;

use x402_escrow_wire::{auth_capture::Level, error_code::ErrorCode};

use crate::{
    failure,
    payment::{Action, ListedOperation, Operation, Tracked},
    priority_fee,
};

/// Most operations that are prepared together: two accounts of each are read at once, and a node shows 100. They fill
/// some transactions: to wait for more saves little.
pub const MAXIMUM_TOGETHER: usize = 50;

/// How many transactions an operation may be in that fail for another of their operations; then it goes alone.
const MOST_FAILED_FOR_ANOTHER: usize = 2;

/// How long operations wait for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatherSettings {
    /// The longest that one waits for which nobody waits, in seconds.
    pub seconds: i64,
    /// The most that captures of a token may come to while they wait, in base units.
    pub value: u64,
}

/// An operation that could be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The operation and the token.
    pub open: ListedOperation,
    /// Whether a caller waits for it, or for a later operation of its payment.
    pub is_awaited: bool,
    /// Whether it failed before, or its escrow or receiver made others fail: it goes alone, so that it holds up no other.
    pub has_failed: bool,
}

impl Ready {
    fn is_alone(&self) -> bool {
        self.open.operation.action.is_signed_elsewhere() || self.has_failed
    }

    fn settles_intent(&self) -> bool {
        self.open.operation.action.settles_intent()
    }

    /// After this second it is worth nothing, in unix seconds.
    fn deadline(&self) -> i64 {
        match self.open.operation.action {
            Action::Capture { .. } | Action::Close { .. } => self.open.capture_deadline,
            _ => i64::MAX,
        }
    }

    /// What the receiver waits for at most, in base units: captures are cumulative, and a part of it may be paid.
    fn value(&self) -> u64 {
        match self.open.operation.action {
            Action::Capture { amount, .. } | Action::Close { amount, .. } => amount,
            _ => 0,
        }
    }

    fn is_due(&self, now: i64, settings: &GatherSettings) -> bool {
        let operation = &self.open.operation;
        self.is_awaited
            || now.saturating_sub(operation.accepted_at) >= settings.seconds
            || priority_fee::is_urgent(&operation.action, self.open.capture_deadline, now)
    }
}

/// Whether somebody waits until `operation` is on chain: nobody does who was told that it is reserved.
pub fn is_awaited(operation: &Operation) -> bool {
    operation.commitment > Level::Reserved && operation.action != Action::Reclaim
}

/// Whether an operation failed before, in its block or in a simulation, for a reason that may be its own; or too often for
/// the reasons of others.
pub fn has_failed(tracked: &Tracked) -> bool {
    let reported = tracked.operation.problem.as_ref();
    let landed = tracked.attempts.iter().filter_map(|attempt| attempt.state.landing()?.error.as_ref());
    let (for_another, for_itself): (Vec<_>, Vec<_>) = landed.partition(|error| failure::is_of_another(error));
    // That code stands for trouble of the verifier's own, such as an empty fee payer.
    reported.is_some_and(|problem| problem.code != ErrorCode::UnexpectedSettleError)
        || !for_itself.is_empty()
        || for_another.len() >= MOST_FAILED_FOR_ANOTHER
}

/// The groups of operations to send at `now` (unix seconds), those with the earliest deadline first. An operation that is
/// in none waits for others. Those in `ready` are of different payments.
pub fn gather(ready: Vec<Ready>, now: i64, settings: &GatherSettings) -> Vec<Vec<Operation>> {
    let (alone, together): (Vec<_>, Vec<_>) = ready.into_iter().partition(Ready::is_alone);
    let (mut intents, mut others): (Vec<_>, Vec<_>) = together.into_iter().partition(Ready::settles_intent);
    if !is_due(&others, now, settings) {
        others.clear();
    }
    others.sort_by_key(|ready| (ready.deadline(), ready.open.operation.id));
    // Those of one escrow share accounts, so more of them fit; and where one makes the others fail, they are its own.
    intents.sort_by_key(|ready| (ready.open.escrow, ready.open.operation.id));
    let operations = |group: &[Ready]| group.iter().map(|ready| ready.open.operation.clone()).collect();
    let groups = [others.chunks(MAXIMUM_TOGETHER), intents.chunks(MAXIMUM_TOGETHER), alone.chunks(1)];
    groups.into_iter().flatten().map(operations).collect()
}

fn is_due(together: &[Ready], now: i64, settings: &GatherSettings) -> bool {
    let mut values: BTreeMap<&str, u64> = BTreeMap::new();
    for ready in together {
        let value = values.entry(&ready.open.asset).or_default();
        *value = value.saturating_add(ready.value());
    }
    together.len() >= MAXIMUM_TOGETHER
        || values.values().any(|value| *value > settings.value)
        || together.iter().any(|ready| ready.is_due(now, settings))
}

#[cfg(test)]
mod tests;
