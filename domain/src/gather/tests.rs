use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solana_sdk::{instruction::InstructionError, transaction::TransactionError};
use x402_escrow_interface::{Address, error::EscrowError};
use x402_escrow_wire::auth_capture::Commitment;

use super::*;
use crate::payment::{Attempt, AttemptState, Landing, OperationState};

const NOW: i64 = 1_000_000;
const SETTINGS: GatherSettings = GatherSettings { seconds: 5, value: 1000 };

/// A capture that came just now, nobody waits for and that has time.
fn patient(id: i64) -> Ready {
    let operation = Operation {
        id,
        payment_id: [0; 32],
        action: Action::Capture { amount: 10, fee: 0, last: false, signature: [0; 64] },
        commitment: Level::Reserved,
        accepted_at: NOW,
        state: OperationState::Queued,
        closed: false,
        problem: None,
    };
    let open = ListedOperation {
        operation,
        escrow: Some(Address::default()),
        receiver: Address::default(),
        asset: "mint".to_owned(),
        authorized: 1000,
        capture_deadline: NOW + 600,
    };
    Ready { open, is_awaited: false, has_failed: false }
}

/// The operations' ids.
fn gathered(ready: Vec<Ready>) -> Vec<Vec<i64>> {
    let groups = gather(ready, NOW, &SETTINGS);
    groups.iter().map(|group| group.iter().map(|operation| operation.id).collect()).collect()
}

/// Asserts that `alter` makes a capture go at once and take along one that waits.
fn goes(alter: impl FnOnce(&mut Ready)) {
    let mut ready = vec![patient(1), patient(2)];
    assert_eq!(gathered(ready.clone()), Vec::<Vec<i64>>::new());
    alter(&mut ready[1]);
    let mut ids = gathered(ready).concat();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2]);
}

#[test]
fn whoever_is_waited_for_old_or_near_the_deadline_goes_and_takes_along_all() {
    goes(|ready| ready.is_awaited = true);
    goes(|ready| ready.open.operation.accepted_at = NOW - 5);
    goes(|ready| ready.open.capture_deadline = NOW + 119);
    let mut young = patient(1);
    young.open.operation.accepted_at = NOW - 4;
    young.open.capture_deadline = NOW + 120;
    assert_eq!(gathered(vec![young]), Vec::<Vec<i64>>::new());
}

#[test]
fn value_above_the_setting_goes_at_once_and_tokens_are_not_added_up() {
    let with = |amount, asset: &str, id| {
        let mut ready = patient(id);
        ready.open.operation.action = Action::Capture { amount, fee: 0, last: true, signature: [0; 64] };
        ready.open.asset = asset.to_owned();
        ready
    };
    assert_eq!(gathered(vec![with(999, "a", 1), with(1, "a", 2), with(1000, "b", 3)]).len(), 0);
    assert_eq!(gathered(vec![with(999, "a", 1), with(2, "a", 2)]), [[1, 2]]);
    assert_eq!(gathered(vec![with(u64::MAX, "a", 1), with(2, "a", 2)]), [[1, 2]]);
}

#[test]
fn what_fills_transactions_does_not_wait() {
    assert_eq!(gathered((1..50).map(patient).collect()).len(), 0);
    assert_eq!(gathered((1..=50).map(patient).collect()), [(1..=50).collect::<Vec<_>>()]);
}

fn authorization(id: i64, escrow: u8) -> Ready {
    let mut ready = patient(id);
    ready.open.operation.action = Action::Authorize;
    ready.open.escrow = Some(Address::new_from_array([escrow; 32]));
    ready.is_awaited = true;
    ready
}

#[test]
fn authorizations_go_together_those_of_an_escrow_side_by_side_and_captures_wait_on() {
    let ready = vec![authorization(1, 9), patient(2), authorization(3, 4), authorization(4, 9)];
    assert_eq!(gathered(ready), [[3, 1, 4]]);
}

#[test]
fn an_authorization_that_failed_goes_alone_and_at_once() {
    let mut failed = authorization(1, 1);
    failed.has_failed = true;
    assert_eq!(gathered(vec![failed, authorization(2, 2), authorization(3, 3)]), [vec![2, 3], vec![1]]);
}

#[test]
fn whoever_fails_for_others_goes_with_others_again_but_not_for_ever() {
    let landed = |position, instruction| {
        let code = InstructionError::Custom(EscrowError::NonceUsed.code());
        let error = TransactionError::InstructionError(instruction, code);
        let attempt = |problem| Attempt {
            signature: [0; 64],
            operation_id: 1,
            position,
            transaction: Vec::new(),
            last_valid_block_height: 1,
            state: AttemptState::Landed(Landing {
                slot: 1,
                block_hash: None,
                commitment: Commitment::Processed,
                error: problem,
            }),
            is_blameless: true,
        };
        let place = failure::Place::of(&attempt(None));
        attempt(Some(failure::explain(&Action::Authorize, place, &error).1))
    };
    let fails = |attempts| has_failed(&Tracked { operation: authorization(1, 1).open.operation, attempts });
    let (anothers, own) = (landed(Some(3), 2), landed(Some(0), 2));
    assert!(!fails(vec![]));
    assert!(!fails(vec![anothers.clone()]));
    assert!(fails(vec![anothers.clone(), anothers]));
    assert!(fails(vec![own]));
    assert!(fails(vec![landed(None, 2)]));
}

#[test]
fn the_earliest_deadline_goes_first() {
    let mut ready: Vec<_> = (1..=60).map(patient).collect();
    for (ready, deadline) in ready.iter_mut().zip((1..=60).rev()) {
        ready.open.capture_deadline = NOW + 200 + deadline;
    }
    ready[30].open.operation.action = Action::Reclaim;
    let groups = gathered(ready);
    assert_eq!((groups[0].len(), groups[1].len()), (50, 10));
    let expected: Vec<_> = (1..=60).rev().filter(|id| *id != 31).chain([31]).collect();
    assert_eq!(groups.concat(), expected);
}

#[test]
fn who_was_told_that_it_is_reserved_waits_for_nothing() {
    let mut operation = patient(1).open.operation;
    assert!(!is_awaited(&operation));
    operation.commitment = Level::Processed;
    assert!(is_awaited(&operation));
    operation.action = Action::Reclaim;
    assert!(!is_awaited(&operation));
}

#[test]
fn whatever_is_ready_nothing_goes_twice_waits_too_long_or_holds_up_others() {
    let mut random = ChaCha8Rng::seed_from_u64(4);
    for _ in 0..3_000 {
        let ready: Vec<_> = (0..random.random_range(0..120)).map(|id| any(&mut random, id)).collect();
        let groups = gather(ready.clone(), NOW, &SETTINGS);
        let known =
            |operation: &Operation| ready.iter().find(|ready| ready.open.operation.id == operation.id);
        let mut left: Vec<_> = ready.iter().collect();
        let mut last = i64::MIN;
        for group in &groups {
            assert!((1..=MAXIMUM_TOGETHER).contains(&group.len()));
            for operation in group {
                let ready = known(operation).expect("nothing is made up");
                assert!(group.len() == 1 || !ready.is_alone(), "{ready:?}");
                let before = left.len();
                left.retain(|left| left.open.operation.id != operation.id);
                assert_eq!(left.len(), before - 1, "twice: {ready:?}");
                let first = known(&group[0]).expect("nothing is made up");
                assert_eq!(first.settles_intent(), ready.settles_intent(), "{ready:?}");
                if !ready.is_alone() && !ready.settles_intent() {
                    assert!(ready.deadline() >= last, "{ready:?} is behind");
                    last = ready.deadline();
                }
            }
        }
        let may_wait =
            |ready: &&Ready| !ready.is_alone() && !ready.settles_intent() && !ready.is_due(NOW, &SETTINGS);
        assert!(left.iter().all(may_wait), "{left:?}");
        assert!(left.len() < MAXIMUM_TOGETHER);
        let value = |asset| {
            left.iter().filter(|ready| ready.open.asset == asset).map(|ready| ready.value()).sum::<u64>()
        };
        assert!(value("a") <= SETTINGS.value && value("b") <= SETTINGS.value);
        let waits = |ready: &&Ready| !ready.is_alone() && !ready.settles_intent();
        let went = groups.iter().flatten().filter_map(known).any(|ready| waits(&ready));
        assert!(!went || left.is_empty(), "what goes takes along all that is ready");
    }
}

fn any(random: &mut ChaCha8Rng, id: i64) -> Ready {
    let mut ready = patient(id);
    let amount = random.random_range(0..400);
    let signature = [0; 64];
    let actions = [
        Action::Authorize,
        Action::Charge { amount, fee: 0, last: true, signature: Some(signature) },
        Action::Capture { amount, fee: 0, last: false, signature },
        Action::Close { amount, bound: amount, fee: 0, signature, release: signature },
        Action::Void { amount, signature },
        Action::Reclaim,
    ];
    ready.open.operation.action = actions[random.random_range(0..actions.len())];
    ready.open.operation.accepted_at = NOW - random.random_range(0..6).min(random.random_range(0..6));
    ready.open.capture_deadline = NOW + random.random_range(100..1000);
    ready.open.asset = ["a", "b"][random.random_range(0..2)].to_owned();
    ready.open.escrow = Some(Address::new_from_array([random.random_range(0..9); 32]));
    ready.is_awaited = random.random_bool(0.05);
    ready.has_failed = random.random_bool(0.1);
    ready
}
