use x402_escrow_wire::auth_capture::Commitment::{Confirmed, Finalized, Processed};

use super::*;
use crate::chain::ChainError;
use x402_escrow_domain::cluster::Account;

fn status(slot: u64, commitment: Commitment) -> Option<Status> {
    Some(Status { slot, commitment, error: None })
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
fn what_nodes_near_each_other_say_is_near_what_an_honest_one_says() {
    let near = |answers: &[u64], needed| super::near(answers.to_vec(), needed, 30);
    assert_eq!(near(&[100, 103, 101], 2), Some(101..=103));
    for lie in [0, 70, 130, 999] {
        let range = near(&[100, lie, 102, 101], 3).unwrap();
        assert!(*range.start() >= 102 - 30 && *range.end() <= 100 + 30, "{lie}: {range:?}");
    }
    // One of four nodes is silent: which of the others lies can't be told.
    for lie in [0, 999] {
        assert_eq!(near(&[100, lie, 101], 3), None);
    }
    assert_eq!(near(&[10], 1), Some(10..=10));
    assert_eq!((near(&[10], 2), near(&[], 1)), (None, None));
}

#[test]
fn a_node_whose_slot_is_believed_can_not_lie_about_the_height() {
    let tip = |slot, block_height| Tip { slot, block_height };
    for lie in [0, 999] {
        let answers = [tip(100, 90), tip(101, lie), tip(102, 92)];
        let agreed = super::tip(&answers, 2).unwrap();
        assert_eq!(agreed.slot, 101);
        assert!([90, 92].contains(&agreed.block_height), "{agreed:?}");
    }
}

#[test]
fn what_enough_nodes_say_is_said_as_of_the_slot_that_they_have_reached() {
    assert_eq!(agreed_as_of(vec![(9, "lie"), (5, "a"), (7, "a"), (6, "a")], 3), Some((5, "a")));
    assert_eq!(agreed_as_of(vec![(99, "a"), (5, "a"), (7, "b")], 2), Some((5, "a")));
    assert_eq!(agreed_as_of(vec![(5, "a"), (6, "b")], 2), None);
}

#[test]
fn nodes_agree_on_each_transaction_that_enough_of_them_tell() {
    let told = |slots: &[u64]| {
        let logged = |slot: &u64| Logged { signature: [0; 64], slot: *slot, logs: vec![slot.to_string()] };
        slots.iter().map(logged).collect::<Vec<_>>()
    };
    let agreed = |answers: &[&[u64]]| {
        logged(&answers.iter().map(|slots| told(slots)).collect::<Vec<_>>(), 2)
            .map(|logged| logged.iter().map(|logged| logged.slot).collect::<Vec<_>>())
    };
    assert_eq!(agreed(&[&[1, 2], &[1, 2], &[9]]), Some(vec![1, 2]));
    assert_eq!(agreed(&[&[2, 3], &[1, 2], &[1, 3]]), Some(vec![1, 2, 3]), "each lacks one");
    assert_eq!(agreed(&[&[9], &[], &[]]), Some(vec![]), "one node alone makes nothing up");
    assert_eq!(agreed(&[&[1], &[2], &[]]), None);
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
    let [processed, confirmed, finalized] = [Processed, Confirmed, Finalized].map(|level| status(7, level));
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

#[test]
fn who_is_not_there_yet_or_saw_a_block_that_lost_contradicts_nobody() {
    let others = status(7, Finalized).unwrap();
    let seen = |slot, level| Sighting::from(status(slot, level));
    for slow in [Sighting::Disputed, seen(7, Processed), seen(6, Processed), seen(6, Confirmed)] {
        assert!(!contradicts(&slow, &others, 7), "{slow:?}");
    }
    assert!(!contradicts(&Sighting::Unseen, &others, 6), "it may be at 6");
    assert!(contradicts(&Sighting::Unseen, &others, 7));
    assert!(contradicts(&seen(6, Finalized), &others, 6));
    let failed = Status { error: Some(TransactionError::AccountInUse), ..others.clone() };
    assert!(contradicts(&Sighting::Seen(failed), &others, 6));
    assert!(!contradicts(&Sighting::Unseen, &Status { commitment: Confirmed, ..others }, 7));
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
