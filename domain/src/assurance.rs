//! How sure an answer is: the same members in every answer. Uses `payment`.

use serde::Serialize;
use x402_escrow_wire::auth_capture::{Commitment, Level};

use crate::payment::{History, Operation, RestsOn, Tracked};

/// What an answer rests on, what was asked of it, and what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Assurance {
    /// What the operation would be lost with.
    pub rests_on: RestsOn,
    /// What the merchant asked for.
    pub commitment_asked: Option<Level>,
    /// What it must be: the stronger of what was asked and the policy.
    pub commitment_required: Level,
    /// What it is.
    #[serde(flatten)]
    pub observed: Observed,
}

/// How far something is, and where that was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// How far; `None` if it came to nothing, or nothing was seen yet.
    pub commitment_observed: Option<Level>,
    /// The slot of its block; of what is only reserved, that of the hold it rests on.
    pub observed_at_slot: Option<u64>,
}

impl Observed {
    /// What is known of an operation.
    pub fn of(history: &History, operation: &Operation) -> Self {
        let tracked = history.operations.iter().find(|tracked| tracked.operation.id == operation.id);
        let slot = tracked.and_then(slot);
        Self {
            commitment_observed: operation.level(),
            observed_at_slot: slot.or_else(|| Self::of_hold(history).observed_at_slot),
        }
    }

    /// What is known of a payment's hold.
    pub fn of_hold(history: &History) -> Self {
        let hold = history.operations.first();
        Self {
            commitment_observed: hold.and_then(|hold| hold.operation.level()),
            observed_at_slot: hold.and_then(slot),
        }
    }

    /// What was read off the chain at `slot`.
    pub fn at(commitment: Commitment, slot: u64) -> Self {
        Self { commitment_observed: Some(commitment.into()), observed_at_slot: Some(slot) }
    }
}

fn slot(tracked: &Tracked) -> Option<u64> {
    Some(tracked.decisive_attempt()?.state.landing()?.slot)
}
