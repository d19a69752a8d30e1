//! The first seeds; `cargo xtask test` runs as many as it says in [`RUNS`], `cargo xtask simulate` any.

use std::{sync::Mutex, thread};

use x402_escrow_simulation::run::{run, run_many};

/// How many seeds, from 1 on.
const RUNS: &str = "X402_ESCROW_SIMULATION_RUNS";

/// How many where nobody says.
const FEW: u64 = 2;

#[test]
fn what_was_answered_yes_is_paid_once_or_given_back() {
    let runs = std::env::var(RUNS).map_or(FEW, |text| text.parse().expect("a number of seeds"));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let failed = Mutex::new(Vec::new());
    run_many(1, runs, threads, |outcome, _| {
        if !outcome.wrong.is_empty() {
            failed.lock().unwrap().push(format!(
                "again: cargo xtask simulate --seed {}\n{}\n{:#?}",
                outcome.seed, outcome.plan, outcome.wrong
            ));
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {runs} seeds failed\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn a_seed_determines_its_run() {
    assert_eq!(run(3), run(3));
}
