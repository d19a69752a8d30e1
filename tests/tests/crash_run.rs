//! The verifier killed again and again, at random, while payments are settled through it.
//!
//! `X402_ESCROW_KILLS` says how often (25 unless it is set), `X402_ESCROW_SEED` repeats a run's choices.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[path = "crash_run/counter.rs"]
mod counter;
#[path = "crash_run/till.rs"]
mod till;

use std::{
    collections::BTreeMap,
    env,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use counter::{Counter, Ending, Sale};
use rand::{Rng, SeedableRng, rngs::StdRng};
use till::Till;

const COUNTERS: u64 = 6;
/// With what each counter begins, so that every run has each.
const ENDINGS: [Ending; 5] =
    [Ending::InFull, Ending::InPart, Ending::InTwoParts, Ending::Voided, Ending::LeftAlone];
/// Longest time from when the verifier answers again to the next kill.
const LONGEST_LIFE_MILLISECONDS: u64 = 1_500;
/// What is left to itself is given back after its capture deadline, by a verifier that looks every half minute.
const SETTLED_WITHIN: Duration = Duration::from_secs(180);

#[test]
fn whatever_is_killed_when_every_accepted_payment_ends_once_and_the_books_agree() {
    let kills: u32 = number_from("X402_ESCROW_KILLS").unwrap_or(25) as u32;
    let seed = number_from("X402_ESCROW_SEED").unwrap_or_else(seed_of_the_day);
    let again = format!(
        "X402_ESCROW_SEED={seed} X402_ESCROW_KILLS={kills} cargo xtask test {}",
        thread::current().name().unwrap()
    );
    println!("to repeat it: {again}");

    let mut till = Till::open();
    let closing = &AtomicBool::new(false);
    let mut interrupted = BTreeMap::new();
    let sales: Vec<Sale> = thread::scope(|scope| {
        let counters: Vec<_> = (0..COUNTERS)
            .map(|number| {
                let mut counter = Counter::new(till.merchant(), seed.wrapping_add(number));
                let first = ENDINGS[number as usize % ENDINGS.len()];
                scope.spawn(move || counter.sell_until(closing, first))
            })
            .collect();
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..kills {
            thread::sleep(Duration::from_millis(random.random_range(0..LONGEST_LIFE_MILLISECONDS)));
            for operation in till.kill_verifier() {
                *interrupted.entry(operation).or_insert(0_u32) += 1;
            }
            till.restart_verifier();
        }
        closing.store(true, Ordering::Relaxed);
        counters.into_iter().flat_map(|counter| counter.join().unwrap()).collect()
    });
    println!(
        "{kills} kills, {} payments; operations that were not final at a kill, and how far they were:",
        sales.len()
    );
    for ((kind, state), count) in &interrupted {
        println!("{count:6} {kind} {state}");
    }

    assert!(sales.len() >= kills as usize, "hardly anything was sold: {}", sales.len());
    let deadline = Instant::now() + SETTLED_WITHIN;
    while till.held() > 0 {
        assert!(Instant::now() < deadline, "{} base units are still held", till.held());
        thread::sleep(Duration::from_secs(1));
    }
    for sale in &sales {
        till.assert_ended(sale);
    }
    till.assert_books(sales.iter().map(|sale| sale.captured).sum());
}

fn number_from(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn seed_of_the_day() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
