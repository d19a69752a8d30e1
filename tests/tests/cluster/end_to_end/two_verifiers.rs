//! Two verifier processes over one PostgreSQL database: what one promises, the other knows, and when the one that leads
//! is killed, the other ends what it had accepted. Ignored unless asked for: `cargo xtask test` does, with
//! `X402_TEST_POSTGRES`.

mod frozen;
mod pair;

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use x402_escrow_tests::local::{
    ONE_TOKEN,
    parties::{Answer, Parties, now},
};

use pair::{Hold, Pair, RESERVED_UP_TO, Side};

/// Capture deadline of what nobody leaves to itself, seconds from now.
const AMPLE: i64 = 3_600;

/// That of what is left to itself: time enough to be held, also on a busy machine.
const SHORT: i64 = 75;

#[test]
#[ignore = "needs X402_TEST_POSTGRES"]
fn the_whole_free_balance_is_promised_once_when_two_verifiers_are_asked_at_once() {
    const FREE: u64 = ONE_TOKEN / 2;
    let pair = Pair::open();
    pair.owner.run(&["escrow", "withdraw", "999.5"]).unwrap();
    let mut first_was_quicker = 0;
    for round in 0..6 {
        let holds = [pair.draft(FREE, now() + AMPLE), pair.draft(FREE, now() + AMPLE)];
        let start = Barrier::new(2);
        let verdicts = thread::scope(|scope| {
            let asked = [0, 1].map(|number: usize| {
                let (side, hold, start) = (&pair.sides[number], &holds[number], &start);
                scope.spawn(move || {
                    start.wait();
                    side.hold(hold)
                })
            });
            asked.map(|asked| asked.join().unwrap())
        });
        let refused = verdicts.iter().position(Result::is_err).expect("both were promised the whole");
        assert_eq!(verdicts[refused], Err("insufficient_funds".to_owned()), "round {round}");
        assert_eq!(verdicts[1 - refused], Ok(()), "round {round}: neither was");
        // Refused before anything of it was written, not by the chain.
        for side in &pair.sides {
            assert_eq!(side.report(&holds[refused])["error"]["code"], "payment_not_found");
        }
        pair.wait_until("the whole to be held", || pair.escrow().held == FREE);
        first_was_quicker += refused;
        // The one that refused lets it go.
        let held = &holds[1 - refused];
        pair.sides[refused].end(held, &pair.void(held));
        pair.assert_ends(&pair.sides[refused], held, 0);
        pair.wait_until("nothing to be held", || pair.escrow().held == 0);
    }
    println!("{first_was_quicker} of 6 went to the verifier that leads");
    pair.assert_books(FREE, Parties::DEPOSIT - FREE);
}

#[test]
#[ignore = "needs X402_TEST_POSTGRES"]
fn when_the_leader_is_killed_the_other_ends_what_it_had_accepted() {
    let mut pair = Pair::open();
    let mut earned = [0; 3];
    for leader in 0..2 {
        let standby = 1 - leader;
        assert!(pair.sides[leader].verifier.is_leading().unwrap());
        assert!(!pair.sides[standby].verifier.is_leading().unwrap());
        // Agents buy through both at once.
        thread::scope(|scope| {
            let buyers = [0, 0, 1, 1].map(|number: usize| {
                let side = &pair.sides[number];
                (number, scope.spawn(|| side.buy()))
            });
            buyers.into_iter().for_each(|(number, buyer)| earned[number] += buyer.join().unwrap());
        });

        let accepted = Accepted::by(&pair, leader);
        let started = accepted.kill_leader(&pair, leader, &mut earned[standby]);
        earned[2] += accepted.assert_ended_by_the_other(&pair, &pair.sides[standby], &started);

        // It comes back as the one that stands by, and its merchant sells again.
        pair.sides[leader].verifier.kill();
        pair.sides[leader].verifier.restart().unwrap();
        assert!(!pair.sides[leader].verifier.is_leading().unwrap());
        earned[leader] += pair.sides[leader].buy();
        pair.wait_until("nothing to be held", || pair.escrow().held == 0);
        assert_eq!(pair.earned(), earned);
        pair.assert_books(Parties::DEPOSIT - earned.iter().sum::<u64>(), 0);
    }
}

/// What the leader has said yes to before it is killed.
struct Accepted {
    /// Of which nothing is captured.
    open: Hold,
    /// Whose merchant is not heard of again.
    left: Hold,
    /// Whose capture is answered and not sent.
    answered: Hold,
    /// Whose capture is accepted, sent, and not answered.
    asked: Hold,
}

impl Accepted {
    fn by(pair: &Pair, leader: usize) -> Self {
        let side = &pair.sides[leader];
        let hold = |amount, seconds| {
            let hold = pair.draft(amount, now() + seconds);
            assert_eq!(side.hold(&hold), Ok(()));
            hold
        };
        let accepted = Self {
            open: hold(400_000, AMPLE),
            left: hold(30_000, SHORT),
            answered: hold(RESERVED_UP_TO, AMPLE),
            asked: hold(700_000, AMPLE),
        };
        for hold in [&accepted.answered, &accepted.asked] {
            let is_confirmed = || side.report(hold)["operations"][0]["status"] != "processed";
            pair.wait_until("a hold to be confirmed", is_confirmed);
        }
        accepted
    }

    /// Kills the leader while it is asked for a capture and for new payments, which are returned, and while an agent buys
    /// through the other: what its merchant earns is added to `bought`.
    fn kill_leader(&self, pair: &Pair, leader: usize, bought: &mut u64) -> Vec<Hold> {
        let (side, other) = (&pair.sides[leader], &pair.sides[1 - leader]);
        let started: Vec<_> = (1..=6).map(|number| pair.draft(number * 1_000, now() + AMPLE)).collect();
        let [asked, answered] = [&self.asked, &self.answered].map(|hold| pair.capture(hold, hold.amount));
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let buyer = scope.spawn(|| {
                let mut paid = 0;
                while !is_over.load(Ordering::Relaxed) {
                    paid += other.buy();
                }
                paid
            });
            let ask = |hold, payload| scope.spawn(move || side.parties.settle(hold, payload));
            let mut waiting = vec![ask(&self.asked.requirements, &asked)];
            while other.report(&self.asked)["transactions"].as_array().unwrap().len() < 2 {
                thread::sleep(Duration::from_millis(5));
            }
            waiting.extend(started.iter().map(|hold| ask(&hold.requirements, &hold.payload)));
            let yes = side.parties.ask(&Parties::body(&self.answered.requirements, &answered)).unwrap();
            let reserved = (&yes["success"], &yes["transaction"]);
            assert_eq!(reserved, (&true.into(), &"".into()), "{yes}");
            let report = other.report(&self.answered);
            assert_eq!(report["transactions"].as_array().unwrap().len(), 1, "it was sent: {report:#}");
            let took = pair.kill(leader);
            println!("the other verifier led {} ms after the kill", took.as_millis());
            is_over.store(true, Ordering::Relaxed);
            *bought += buyer.join().unwrap();
            let verdicts: Vec<_> = waiting.into_iter().map(|asked| asked.join().unwrap()).collect();
            let undecided = verdicts.iter().filter(|verdict| matches!(verdict, Answer::Undecided)).count();
            println!("{undecided} of {} requests had no answer", verdicts.len());
            assert!(undecided > 0, "it was not killed in the middle");
            assert!(
                !verdicts.iter().any(|verdict| matches!(verdict, Answer::No(_))),
                "a right request was refused"
            );
        });
        started
    }

    /// Returns what the merchant that signs by hand was paid.
    #[track_caller]
    fn assert_ended_by_the_other(&self, pair: &Pair, other: &Side, started: &[Hold]) -> u64 {
        // Nobody asks for these again before they have ended; then a repeated request is told so, and moves nothing.
        for hold in [&self.answered, &self.asked] {
            pair.assert_ends(other, hold, hold.amount);
            other.end(hold, &pair.capture(hold, hold.amount));
        }
        let part = self.open.amount / 2;
        other.end(&self.open, &pair.capture(&self.open, part));
        let mut captured = self.answered.amount + self.asked.amount + part;
        for (number, hold) in started.iter().enumerate() {
            assert_eq!(other.hold(hold), Ok(()));
            if number % 2 == 0 {
                other.end(hold, &pair.capture(hold, hold.amount));
                captured += hold.amount;
            } else {
                other.end(hold, &pair.void(hold));
            }
        }
        for (number, hold) in started.iter().enumerate() {
            pair.assert_ends(other, hold, if number % 2 == 0 { hold.amount } else { 0 });
        }
        pair.assert_ends(other, &self.open, part);
        pair.assert_ends(other, &self.left, 0);
        captured
    }
}
