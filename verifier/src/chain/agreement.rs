//! What several nodes say together, and which of them is not to be believed. No I/O.
//!
//! `needed` is always more than half of the nodes that are configured: so many say a thing before it is believed, and
//! of two such groups one node is in both.

use std::ops::RangeInclusive;

use solana_sdk::transaction::TransactionError;
use x402_escrow_domain::cluster::{Logged, Sighting, Status, Tip};
use x402_escrow_wire::auth_capture::Commitment;

use super::{ChainError, SendError, Snapshot};

/// How far a node may be from the others. No time, whatever a slot takes: fewer than the 32 blocks by which TowerBFT has a
/// block final and a transaction outlives its blockhash, so that nobody who is asked takes for lost what is final.
pub(super) const MAXIMUM_SLOTS_APART: u64 = 30;

/// How far a node's clock may be from the others', in seconds.
pub(super) const MAXIMUM_SECONDS_APART: u64 = 30;

/// More than half of `nodes`.
pub(super) fn majority(nodes: usize) -> usize {
    nodes / 2 + 1
}

/// What at least `needed` of the answers are equal to.
pub(super) fn agreed<T: PartialEq>(answers: &[T], needed: usize) -> Option<&T> {
    answers.iter().find(|answer| answers.iter().filter(|other| other == answer).count() >= needed)
}

/// What at least `needed` of the answers are equal to, and the slot that so many of these have reached.
pub(super) fn agreed_as_of<T: PartialEq>(answers: Vec<(u64, T)>, needed: usize) -> Option<(u64, T)> {
    let slots_of = |value: &T| {
        let equal = answers.iter().filter(|(_, other)| other == value);
        equal.map(|(slot, _)| *slot).collect::<Vec<_>>()
    };
    let index = answers.iter().position(|(_, value)| slots_of(value).len() >= needed)?;
    let slot = reached(slots_of(&answers[index].1), needed)?;
    answers.into_iter().nth(index).map(|(_, value)| (slot, value))
}

/// The highest number that at least `needed` of the answers reach.
pub(super) fn reached<T: Ord + Copy>(mut answers: Vec<T>, needed: usize) -> Option<T> {
    answers.sort_unstable_by(|one, other| other.cmp(one));
    answers.get(needed.checked_sub(1)?).copied()
}

/// The range of `needed` answers that are at most `apart` from each other. At least one of them is honest, so even a lie
/// among them is off by `apart` at most. If there are several such groups, this is the highest; `None` if there is none,
/// because too few nodes answered to tell which of them is wrong.
pub(super) fn near(mut answers: Vec<u64>, needed: usize, apart: u64) -> Option<RangeInclusive<u64>> {
    answers.sort_unstable_by(|one, other| other.cmp(one));
    let mut ranges = answers.windows(needed).filter_map(|group| Some(*group.last()?..=*group.first()?));
    ranges.find(|range| range.end() - range.start() <= apart)
}

/// The slot and the height that `needed` nodes near each other have reached, each by itself: one that is right about the
/// slot says nothing alone about the height.
pub(super) fn tip(answers: &[Tip], needed: usize) -> Option<Tip> {
    let of_each = |read: fn(&Tip) -> u64| {
        let near = near(answers.iter().map(read).collect(), needed, MAXIMUM_SLOTS_APART)?;
        Some(*near.start())
    };
    Some(Tip { slot: of_each(|tip| tip.slot)?, block_height: of_each(|tip| tip.block_height)? })
}

/// What the nodes know of one transaction: it is seen if `needed` of them have it in one slot and with one outcome, and
/// as final as so many say; it is unseen if no node has it and `needed` of them would.
pub(super) fn sighting(answers: &[Sighting], needed: usize) -> Sighting {
    let seen: Vec<&Status> = answers.iter().filter_map(Sighting::status).collect();
    let alike = |one: &Status| {
        let same = |other: &&&Status| other.slot == one.slot && other.error == one.error;
        seen.iter().filter(same).copied().collect::<Vec<_>>()
    };
    let Some(mut group) = seen.iter().map(|status| alike(status)).find(|group| group.len() >= needed) else {
        let unseen = answers.iter().filter(|answer| **answer == Sighting::Unseen).count();
        return if seen.is_empty() && unseen >= needed { Sighting::Unseen } else { Sighting::Disputed };
    };
    group.sort_by_key(|status| std::cmp::Reverse(status.commitment));
    Sighting::Seen(group[needed - 1].clone())
}

/// Whether a node's answer can't be true if the others' final one is: at `since_slot` or above it lacks a block below
/// that, or it says that what is final ended otherwise. A block can be final before every node has it: one that is not
/// there yet, or was in a block that lost, is slow and not wrong.
pub(super) fn contradicts(own: &Sighting, others: &Status, since_slot: u64) -> bool {
    others.commitment == Commitment::Finalized
        && match own {
            Sighting::Seen(own) => {
                own.commitment == Commitment::Finalized
                    && (own.error != others.error || own.slot != others.slot)
            }
            Sighting::Unseen => others.slot <= since_slot,
            Sighting::Disputed => false,
        }
}

/// The snapshot to believe where one is asked for: the newest of those that agree on which accounts exist.
pub(super) fn snapshot(answers: &[Snapshot], needed: usize) -> Option<&Snapshot> {
    let existing = |snapshot: &Snapshot| snapshot.accounts.iter().map(Option::is_some).collect::<Vec<_>>();
    let patterns: Vec<_> = answers.iter().map(existing).collect();
    let pattern = agreed(&patterns, needed)?;
    answers.iter().filter(|answer| existing(answer) == *pattern).max_by_key(|answer| answer.slot)
}

/// What at least `needed` nodes tell alike: all of it, or else each transaction for itself, by slot. Nodes are not equally
/// far, and one that lacks a transaction hides no other. `None` if they agree on nothing.
pub(super) fn logged(answers: &[Vec<Logged>], needed: usize) -> Option<Vec<Logged>> {
    if let Some(equal) = agreed(answers, needed) {
        return Some(equal.clone());
    }
    let mut alike: Vec<Logged> = Vec::new();
    for logged in answers.iter().flatten() {
        let told_by = answers.iter().filter(|answer| answer.contains(logged)).count();
        if told_by >= needed && !alike.contains(logged) {
            alike.push(logged.clone());
        }
    }
    alike.sort_by_key(|logged| logged.slot);
    (!alike.is_empty()).then_some(alike)
}

/// Who says something else than the majority of those that speak of the same slot.
pub(super) fn contradicting(answers: &[Snapshot], needed: usize) -> Vec<usize> {
    let alone = |index: &usize| {
        let answer = &answers[*index];
        let peers: Vec<_> = answers.iter().filter(|other| other.slot == answer.slot).collect();
        agreed(&peers, needed).is_some_and(|majority| *majority != answer)
    };
    (0..answers.len()).filter(alone).collect()
}

/// What became of handing a transaction to every node: it is sent if one node took it.
pub(super) fn sent(answers: Vec<Result<(), SendError>>, needed: usize) -> Result<(), SendError> {
    if answers.iter().any(Result::is_ok) {
        return Ok(());
    }
    refused(answers, needed, "sendTransaction")
}

/// Whether a transaction would succeed: `needed` nodes say so, or name the same reason against it.
pub(super) fn simulated(answers: Vec<Result<(), SendError>>, needed: usize) -> Result<(), SendError> {
    if answers.iter().filter(|answer| answer.is_ok()).count() >= needed {
        return Ok(());
    }
    refused(answers, needed, "simulateTransaction")
}

fn refused(
    answers: Vec<Result<(), SendError>>,
    needed: usize,
    request: &'static str,
) -> Result<(), SendError> {
    let failed = |answer: &Result<(), SendError>| match answer {
        Err(SendError::Simulation(error)) => Some(error.clone()),
        _ => None,
    };
    let reasons: Vec<TransactionError> = answers.iter().filter_map(failed).collect();
    match agreed(&reasons, needed) {
        Some(reason) => Err(SendError::Simulation(reason.clone())),
        None => Err(answers
            .into_iter()
            .find_map(|answer| answer.err().filter(|error| matches!(error, SendError::Unknown(_))))
            .unwrap_or_else(|| SendError::Unknown(disagree(request)))),
    }
}

/// What a node said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    /// Its cluster's genesis hash.
    pub(super) genesis_hash: String,
    /// Its newest slot.
    pub(super) slot: u64,
    /// Its cluster's time, unix seconds.
    pub(super) now: i64,
}

/// What is wrong with each node, going by what all said; `None` for one that is well.
pub(super) fn judge(probes: &[Result<Probe, String>]) -> Vec<Option<String>> {
    let answers: Vec<&Probe> = probes.iter().flatten().collect();
    let slot = median(answers.iter().map(|probe| probe.slot).collect());
    let now = median(answers.iter().map(|probe| probe.now).collect());
    let clusters: Vec<&str> = answers.iter().map(|probe| probe.genesis_hash.as_str()).collect();
    let cluster = agreed(&clusters, majority(probes.len()));
    let wrong = |probe: &Probe| {
        let (Some(slot), Some(now)) = (slot, now) else { return None };
        if cluster.is_some_and(|cluster| *cluster != probe.genesis_hash) {
            return Some(format!("is of another cluster, with the genesis hash {}", probe.genesis_hash));
        }
        if probe.slot.saturating_add(MAXIMUM_SLOTS_APART) < slot {
            return Some(format!("is {} slots behind the others", slot - probe.slot));
        }
        if slot.saturating_add(MAXIMUM_SLOTS_APART) < probe.slot {
            return Some(format!("claims to be {} slots ahead of the others", probe.slot - slot));
        }
        let apart = probe.now.saturating_sub(now);
        (apart.unsigned_abs() > MAXIMUM_SECONDS_APART)
            .then(|| format!("has a clock that is {apart} seconds from the others'"))
    };
    probes
        .iter()
        .map(|probe| match probe {
            Ok(probe) => wrong(probe),
            Err(message) => Some(format!("does not answer: {message}")),
        })
        .collect()
}

/// The middle one; of an even number the lower of the two in the middle.
fn median<T: Ord + Copy>(mut numbers: Vec<T>) -> Option<T> {
    numbers.sort_unstable();
    numbers.get(numbers.len().checked_sub(1)? / 2).copied()
}

/// The nodes' answers to `request` don't agree.
pub(super) fn disagree(request: &'static str) -> ChainError {
    ChainError::answer(request, "the nodes disagree")
}

#[cfg(test)]
mod tests;
