//! `cargo xtask simulate` runs this.

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use clap::Parser;
use tracing_subscriber::EnvFilter;
use x402_escrow_simulation::run::{Outcome, run};

/// Runs the verifier in simulated time.
#[derive(Parser)]
struct Arguments {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, from the first on.
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// How many at the same time.
    #[arg(long, default_value_t = 2)]
    threads: u64,
    /// Runs each seed twice and compares.
    #[arg(long)]
    twice: bool,
}

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("SIMULATION_LOG").unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
    let arguments = Arguments::parse();
    let started = Instant::now();
    let next = Arc::new(AtomicU64::new(arguments.seed));
    let end = arguments.seed + arguments.runs;
    let workers: Vec<_> = (0..arguments.threads.min(arguments.runs))
        .map(|_| {
            let (next, twice) = (Arc::clone(&next), arguments.twice);
            thread::spawn(move || {
                let mut failed = 0;
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return failed;
                    }
                    failed += u64::from(!one(seed, twice));
                }
            })
        })
        .collect();
    let failed: u64 = workers.into_iter().map(|worker| worker.join().unwrap_or(1)).sum();
    let seconds = started.elapsed().as_secs_f64();
    println!("{} runs, {failed} failed, {seconds:.0} s", arguments.runs);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one seed, and says what came of it. Returns whether all is well.
fn one(seed: u64, twice: bool) -> bool {
    let started = Instant::now();
    let outcome = run(seed);
    let seconds = started.elapsed().as_secs_f64();
    let Outcome { plan, wrong, steps, fingerprint, counts, cluster, .. } = &outcome;
    let mut report = format!("seed {seed}: {seconds:.1} s, {steps} steps of the store, {fingerprint}\n");
    let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    report += &format!("  {}; {cluster:?}\n", counts.join(", "));
    let mut wrong = wrong.clone();
    if twice && run(seed) != outcome {
        wrong.push("a second run of the same seed was another".to_owned());
    }
    if !wrong.is_empty() {
        report += &format!("  {plan}\n");
        report += &format!("  {} faults, the first of them:\n", wrong.len());
        for what in wrong.iter().take(12) {
            report += &format!("    {what}\n");
        }
        report += &format!("  again: cargo xtask simulate --seed {seed} --runs 1\n");
    }
    print!("{report}");
    wrong.is_empty()
}
