//! The verifier that leads is frozen (SIGSTOP) for longer than its lease, and wakes in the middle of what it was doing.

use std::{
    thread,
    time::{Duration, Instant},
};

use x402_escrow_tests::local::parties::{Parties, now};

use super::{
    AMPLE,
    pair::{Hold, Pair, RESERVED_UP_TO},
};

/// The lease is ten seconds.
const SERVED_AGAIN_WITHIN: Duration = Duration::from_secs(15);

/// What a busy machine may add.
const BUSY: Duration = Duration::from_secs(15);

#[test]
#[ignore = "needs X402_TEST_POSTGRES"]
fn when_the_leader_is_frozen_the_other_serves_within_15_seconds_and_nothing_is_paid_twice_when_it_wakes() {
    let pair = Pair::open();
    let [leader, other] = &pair.sides;
    assert!(leader.verifier.is_leading().unwrap());
    let answered = pair.draft(RESERVED_UP_TO, now() + AMPLE);
    assert_eq!(leader.hold(&answered), Ok(()));
    let is_confirmed = || leader.report(&answered)["operations"][0]["status"] != "processed";
    pair.wait_until("a hold to be confirmed", is_confirmed);
    let capture = pair.capture(&answered, answered.amount);
    let started: Vec<_> = (1..=6).map(|number| pair.draft(number * 1_000, now() + AMPLE)).collect();
    let later = pair.draft(50_000, now() + AMPLE);
    thread::scope(|scope| {
        // Answered before it is sent.
        leader.end(&answered, &capture);
        let waiting: Vec<_> = started.iter().map(|hold| scope.spawn(move || leader.hold(hold))).collect();
        let asked = Instant::now();
        while !started.iter().any(|hold| is_known(&pair, hold)) {
            assert!(asked.elapsed() < BUSY, "none of them is known");
            thread::sleep(Duration::from_millis(5));
        }
        let (since, frozen) = (Instant::now(), leader.verifier.freeze());
        assert_eq!(other.hold(&later), Ok(()));
        println!("the other verifier had a hold {} ms after the freeze", since.elapsed().as_millis());
        assert!(since.elapsed() < SERVED_AGAIN_WITHIN + BUSY, "{:?}", since.elapsed());
        assert!(other.verifier.is_leading().unwrap());
        // What the frozen one was asked for ends through the other, while nobody has heard of the first.
        for hold in started.iter().chain([&later]) {
            assert_eq!(other.hold(hold), Ok(()));
            other.end(hold, &pair.capture(hold, hold.amount));
        }
        drop(frozen);
        for answer in waiting {
            assert_eq!(answer.join().unwrap(), Ok(()), "a right request was refused");
        }
    });
    // It had some of these to send, and must notice that it does not lead any more.
    pair.wait_until("the one that was frozen to stand by", || !leader.verifier.is_leading().unwrap());
    assert!(other.verifier.is_leading().unwrap());
    let all = || started.iter().chain([&answered, &later]);
    for hold in all() {
        leader.end(hold, &pair.capture(hold, hold.amount));
        pair.assert_ends(leader, hold, hold.amount);
    }
    let captured: u64 = all().map(|hold| hold.amount).sum();
    assert_eq!(pair.earned(), [0, 0, captured]);
    pair.assert_books(Parties::DEPOSIT - captured, 0);
    pair.wait_until("the books to be final", || other.verifier.reconcile().unwrap()["underWay"] == 0);
}

fn is_known(pair: &Pair, hold: &Hold) -> bool {
    pair.sides[1].report(hold)["error"].is_null()
}
