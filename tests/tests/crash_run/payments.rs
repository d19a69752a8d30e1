//! The verifier killed while payments are held, captured and released through it.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    counter::{
        Counter,
        Ending::{self, InFull, InPart, InPartAndLeft, InTwoParts, LeftAlone, Voided},
        Sale,
    },
    run::{OpeningHours, Run},
    till::Till,
};

const COUNTERS: u64 = 6;
const CAPTURE_SECONDS: i64 = 90;
/// With what each counter begins, so that every run has each.
const FIRST: [Ending; 6] = [InFull, InPart, InTwoParts, Voided, LeftAlone, InPartAndLeft];
/// How the others end: three of ten in full, and so on.
const ENDINGS: [Ending; 20] = [
    InFull,
    InFull,
    InFull,
    InFull,
    InFull,
    InFull,
    InPart,
    InPart,
    InPart,
    InPart,
    InTwoParts,
    InTwoParts,
    InTwoParts,
    InTwoParts,
    Voided,
    Voided,
    Voided,
    Voided,
    LeftAlone,
    InPartAndLeft,
];
/// How many of these somebody ends. In the second half of the run all are such: the run waits for the deadlines of the
/// others.
const ENDED: usize = 18;
/// Longest time from when the verifier answers again to the next kill.
const LONGEST_LIFE_MILLISECONDS: u64 = 1_500;

#[test]
fn whatever_is_killed_when_every_accepted_payment_ends_once_and_the_books_agree() {
    let run = Run::start("payments", "X402_ESCROW_KILLS", 25);
    let mut till = Till::open(&[]);
    let [closing, late] = &[const { AtomicBool::new(false) }; 2];
    let mut interrupted = BTreeMap::new();
    let sales: Vec<Sale> = thread::scope(|scope| {
        let open = OpeningHours(closing);
        let counters: Vec<_> = (0..COUNTERS)
            .map(|number| {
                let seed = run.seed.wrapping_add(number);
                let mut counter = Counter::new(till.parties(), seed, CAPTURE_SECONDS);
                let first = FIRST[number as usize % FIRST.len()];
                scope.spawn(move || {
                    counter.sell_until(closing, first, || match late.load(Ordering::Relaxed) {
                        true => &ENDINGS[..ENDED],
                        false => &ENDINGS,
                    })
                })
            })
            .collect();
        let mut random = StdRng::seed_from_u64(run.seed);
        for kill in run.each_kill() {
            late.store(kill >= run.kills / 2, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(random.random_range(0..LONGEST_LIFE_MILLISECONDS)));
            for operation in till.kill_verifier() {
                *interrupted.entry(operation).or_insert(0_u32) += 1;
            }
            till.restart_verifier();
        }
        drop(open);
        counters.into_iter().flat_map(|counter| counter.join().unwrap()).collect()
    });
    println!(
        "{} kills, {} payments; operations that were not final at a kill, and how far they were:",
        run.kills,
        sales.len()
    );
    for ((kind, state), count) in &interrupted {
        println!("{count:6} {kind} {state}");
    }
    run.rest();

    assert!(sales.len() >= run.kills as usize, "hardly anything was sold: {}", sales.len());
    for sale in &sales {
        till.assert_ended(sale);
    }
    till.wait_until_nothing_is_held();
    till.assert_books(sales.iter().map(|sale| sale.captured).sum(), 0);
}
