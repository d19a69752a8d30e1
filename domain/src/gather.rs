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
    /// Whether it failed before, or its escrow made others fail: it goes alone, so that it holds up no other.
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
mod tests {
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
        let fails =
            |attempts| has_failed(&Tracked { operation: authorization(1, 1).open.operation, attempts });
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
            let may_wait = |ready: &&Ready| {
                !ready.is_alone() && !ready.settles_intent() && !ready.is_due(NOW, &SETTINGS)
            };
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
}
