//! solana-test-validator killed under load and started again, mostly with a ledger that lacks its last seconds: slots
//! that the verifier has seen processed and confirmed, but none that was final, have never been.

use std::{sync::atomic::AtomicBool, thread, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};

use x402_escrow_tests::local::parties::Parties;

use super::{
    counter::{
        Counter,
        Ending::{self, InFull, InPart, InTwoParts, Voided},
        Sale,
    },
    run::{OpeningHours, Run},
    till::Till,
};

const COUNTERS: u64 = 3;
/// A transaction of a dropped slot can be replaced once its blockhash is too old, after 150 blocks or a minute.
const CAPTURE_SECONDS: i64 = 600;
const ENDINGS: [Ending; 4] = [InFull, InPart, InTwoParts, Voided];
/// What is dropped at most stays below the 31 slots after which a slot is final: so many until the payment is held, and
/// then so long, which is 8 slots.
const MOST_SLOTS_TO_HOLD: u64 = 15;
const LONGEST_LOSS_MILLISECONDS: u64 = 3_000;
/// The longest time for which nothing answers.
const LONGEST_OUTAGE_MILLISECONDS: u64 = 3_000;

#[test]
fn whatever_the_chain_forgets_every_accepted_payment_ends_once_and_the_books_agree() {
    let run = Run::start("validator", "X402_ESCROW_RESTARTS", 2);
    let till = &Till::open(&[("X402_SETTLE_TIMEOUT_SECONDS", "15")]);
    // The escrow and its session must outlive every fork.
    till.local().chain.wait_until_final().unwrap();
    let closing = &AtomicBool::new(false);
    let sales: Vec<Sale> = thread::scope(|scope| {
        let open = OpeningHours(closing);
        let counter = |number| Counter::new(till.parties(), run.seed.wrapping_add(number), CAPTURE_SECONDS);
        let counters: Vec<_> = (0..COUNTERS)
            .map(|number| {
                let mut counter = counter(number);
                scope.spawn(move || counter.sell_until(closing, ENDINGS[number as usize], || &ENDINGS))
            })
            .collect();
        let mut random = StdRng::seed_from_u64(run.seed);
        let mut owner = counter(COUNTERS);
        let mut sales = Vec::new();
        for kill in run.each_kill() {
            let forgets = kill == 0 || random.random_bool(0.7);
            let ending = ENDINGS[random.random_range(0..ENDINGS.len())];
            thread::sleep(Duration::from_millis(random.random_range(0..LONGEST_OUTAGE_MILLISECONDS)));
            let is_last = kill + 1 == run.kills;
            let is_back = || {
                if is_last {
                    run.rest()
                }
            };
            sales.extend(restart(till, &mut owner, &mut random, forgets, ending, is_back));
        }
        drop(open);
        sales.extend(counters.into_iter().flat_map(|counter| counter.join().unwrap()));
        sales
    });
    println!("{} restarts, {} payments", run.kills, sales.len());

    for sale in &sales {
        till.assert_ended(sale);
    }
    till.wait_until_nothing_is_held();
    till.assert_books(sales.iter().map(|sale| sale.captured).sum(), 0);
}

/// Kills the validator after a payment, asks for another one meanwhile, and has both end once it is back. If it
/// `forgets`, the first payment's slot has never been. Tells when the validator `is_back`.
fn restart(
    till: &Till,
    counter: &mut Counter,
    random: &mut StdRng,
    forgets: bool,
    ending: Ending,
    is_back: impl FnOnce(),
) -> Vec<Sale> {
    let (validator, chain) = (till.local().validator(), &till.local().chain);
    let newest_slot = || chain.slot().unwrap();
    let mut sales = Vec::new();
    let held = loop {
        if forgets {
            validator.copy_ledger().unwrap();
        }
        let copied_at = newest_slot();
        let held = counter.hold();
        if !forgets || newest_slot() <= copied_at + MOST_SLOTS_TO_HOLD {
            break held;
        }
        // The machine is busy.
        sales.push(counter.end(&held, ending));
    };
    thread::sleep(Duration::from_millis(random.random_range(0..LONGEST_LOSS_MILLISECONDS)));
    validator.kill();

    let asked = counter.draft();
    let answer = till.parties().ask(&Parties::body(&asked.requirements, &asked.payload)).unwrap();
    assert_eq!(answer["success"], false, "yes, without a chain: {answer}");
    println!("without a chain: {}: {}", answer["errorReason"], answer["errorMessage"]);

    thread::sleep(Duration::from_millis(random.random_range(0..LONGEST_OUTAGE_MILLISECONDS)));
    if forgets {
        validator.put_ledger_back().unwrap();
    }
    thread::scope(|scope| {
        let noticed = forgets.then(|| scope.spawn(|| till.wait_until_unsettled(held.id)));
        till.local().restart_validator().unwrap();
        if let Some(noticed) = noticed {
            noticed.join().unwrap();
        }
    });
    is_back();
    // Whoever asks again is told once it is there again.
    counter.insist(&held);
    counter.insist(&asked);
    sales.extend([counter.end(&held, ending), counter.end(&asked, ending)]);
    sales
}
