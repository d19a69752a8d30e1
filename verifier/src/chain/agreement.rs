//! What several nodes say together, and which of them is not to be believed. No I/O.
//!
//! `needed` is always more than half of the nodes that are configured: so many say a thing before it is believed, and
//! of two such groups one node is in both.

use solana_sdk::transaction::TransactionError;
use x402_escrow_domain::cluster::{Sighting, Status};
use x402_escrow_wire::auth_capture::Commitment;

use super::{ChainError, SendError, Snapshot};

/// How far a node may be from the others: 12 seconds. Fewer than the 32 blocks after which a block is final, so that
/// who lacks what is final for the others is wrong and not just slow.
pub(super) const MAXIMUM_SLOTS_APART: u64 = 30;

/// How far a node's clock may be from the others', in seconds.
const MAXIMUM_SECONDS_APART: i64 = 30;

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
    group.sort_by_key(|status| std::cmp::Reverse((status.commitment, status.confirmations)));
    Sighting::Seen(group[needed - 1].clone())
}

/// Whether a node's answer can't be true if the others' final one is: it lacks what is final, or says that it ended
/// otherwise.
pub(super) fn contradicts(own: Option<&Status>, others: &Status) -> bool {
    others.commitment == Commitment::Finalized
        && own.is_none_or(|own| own.error != others.error || own.slot != others.slot)
}

/// The snapshot to believe where one is asked for: the newest of those that agree on which accounts exist.
pub(super) fn snapshot(answers: &[Snapshot], needed: usize) -> Option<&Snapshot> {
    let existing = |snapshot: &Snapshot| snapshot.accounts.iter().map(Option::is_some).collect::<Vec<_>>();
    let patterns: Vec<_> = answers.iter().map(existing).collect();
    let pattern = agreed(&patterns, needed)?;
    answers.iter().filter(|answer| existing(answer) == *pattern).max_by_key(|answer| answer.slot)
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
        (apart.saturating_abs() > MAXIMUM_SECONDS_APART)
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
mod tests {
    use x402_escrow_wire::auth_capture::Commitment::{Confirmed, Finalized, Processed};

    use super::*;
    use crate::chain::ChainError;
    use x402_escrow_domain::cluster::Account;

    fn status(slot: u64, commitment: Commitment) -> Option<Status> {
        Some(Status { slot, confirmations: 0, commitment, error: None })
    }

    #[test]
    fn more_than_half_is_needed() {
        assert_eq!([1, 2, 3, 4, 5].map(majority), [1, 2, 2, 3, 3]);
    }

    #[test]
    fn one_node_can_not_raise_what_is_reached() {
        assert_eq!(reached(vec![10, 999, 11], 2), Some(11));
        assert_eq!(reached(vec![10, 0, 11], 2), Some(10));
        assert_eq!(reached(vec![10], 2), None);
        assert_eq!(reached::<u64>(vec![], 1), None);
    }

    #[test]
    fn what_enough_nodes_say_is_said_as_of_the_slot_that_they_have_reached() {
        assert_eq!(agreed_as_of(vec![(9, "lie"), (5, "a"), (7, "a"), (6, "a")], 3), Some((5, "a")));
        assert_eq!(agreed_as_of(vec![(99, "a"), (5, "a"), (7, "b")], 2), Some((5, "a")));
        assert_eq!(agreed_as_of(vec![(5, "a"), (6, "b")], 2), None);
    }

    #[test]
    fn a_transaction_is_unseen_if_enough_nodes_would_have_it() {
        let (unseen, behind) = (Sighting::told(None, 9, 9), Sighting::told(None, 8, 9));
        assert_eq!(sighting(&[unseen.clone(), unseen.clone(), behind.clone()], 2), Sighting::Unseen);
        assert_eq!(sighting(&[unseen, behind.clone(), behind], 2), Sighting::Disputed);
    }

    #[test]
    fn a_transaction_is_as_final_as_enough_nodes_say() {
        let seen = |answers: &[Option<Status>]| {
            let answers: Vec<_> = answers.iter().cloned().map(Sighting::from).collect();
            sighting(&answers, 2)
        };
        let [processed, confirmed, finalized] =
            [Processed, Confirmed, Finalized].map(|level| status(7, level));
        assert_eq!(
            seen(&[finalized.clone(), confirmed.clone(), processed]),
            Sighting::Seen(confirmed.clone().unwrap())
        );
        assert_eq!(seen(&[finalized.clone(), None, None]), Sighting::Disputed);
        assert_eq!(seen(&[None, None, None]), Sighting::Unseen);
        assert_eq!(seen(&[finalized.clone(), status(8, Finalized)]), Sighting::Disputed);
        let failed =
            finalized.clone().map(|status| Status { error: Some(TransactionError::AccountInUse), ..status });
        assert_eq!(seen(&[finalized.clone(), failed.clone()]), Sighting::Disputed);
        assert_eq!(seen(&[finalized.clone(), failed, finalized.clone()]), Sighting::Seen(finalized.unwrap()));
    }

    fn snap(slot: u64, accounts: &[Option<u8>]) -> Snapshot {
        let account = |byte: u8| Account { owner: [0; 32].into(), data: vec![byte], lamports: 1 };
        Snapshot { slot, accounts: accounts.iter().map(|byte| byte.map(account)).collect() }
    }

    #[test]
    fn an_account_exists_if_enough_nodes_have_it() {
        let (old, new, without) = (snap(5, &[Some(1)]), snap(6, &[Some(2)]), snap(9, &[None]));
        assert_eq!(snapshot(&[old.clone(), without.clone(), new.clone()], 2), Some(&new));
        assert_eq!(snapshot(&[old, without], 2), None);
    }

    #[test]
    fn who_says_something_else_of_the_same_slot_contradicts() {
        let [honest, other_slot, liar] = [snap(5, &[Some(1)]), snap(4, &[Some(3)]), snap(5, &[Some(9)])];
        assert_eq!(contradicting(&[honest.clone(), liar.clone(), honest.clone(), other_slot], 2), [1]);
        assert_eq!(contradicting(&[honest, liar], 2), [0; 0], "nobody knows which of two it is");
    }

    #[test]
    fn a_refusal_counts_if_enough_nodes_refuse_alike() {
        let no = || Err(SendError::Simulation(TransactionError::AccountNotFound));
        let other = || Err(SendError::Simulation(TransactionError::BlockhashNotFound));
        let silent = || Err(SendError::Unknown(ChainError::silence("sendTransaction", "late")));
        assert_eq!(sent(vec![no(), Ok(()), no()], 2), Ok(()), "one has it: it may land");
        assert_eq!(sent(vec![no(), other(), no()], 2), no());
        assert_eq!(sent(vec![no(), silent()], 2), silent());
        assert!(matches!(sent(vec![no(), other()], 2), Err(SendError::Unknown(_))));
    }

    #[test]
    fn nodes_are_judged_by_what_most_of_them_say() {
        let probe = |slot, now| Probe { genesis_hash: "g".into(), slot, now };
        let judged = |third: Result<Probe, String>| {
            let verdicts = judge(&[Ok(probe(1000, 50)), Ok(probe(1003, 51)), third]);
            assert_eq!(verdicts[..2], [None, None]);
            verdicts[2].clone().unwrap_or_default()
        };
        assert_eq!(judged(Ok(probe(1000 - 30, 50))), "");
        assert_eq!(judged(Ok(probe(969, 50))), "is 31 slots behind the others");
        assert_eq!(judged(Ok(probe(1034, 50))), "claims to be 31 slots ahead of the others");
        assert_eq!(judged(Ok(probe(1000, 82))), "has a clock that is 31 seconds from the others'");
        assert_eq!(judged(Err("it can't be reached".into())), "does not answer: it can't be reached");
        let elsewhere = Probe { genesis_hash: "h".into(), ..probe(1000, 50) };
        assert_eq!(judged(Ok(elsewhere)), "is of another cluster, with the genesis hash h");
        assert_eq!(judge(&[Err("x".into())]), [Some("does not answer: x".to_owned())]);
    }
}
