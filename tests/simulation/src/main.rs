//! `cargo xtask simulate` runs this.

use std::{
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::Parser;
use tracing_subscriber::EnvFilter;
use x402_escrow_simulation::run::{Outcome, run, run_many};

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
    threads: usize,
    /// Runs each seed twice and compares.
    #[arg(long)]
    twice: bool,
}

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("SIMULATION_LOG").unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
    let arguments = Arguments::parse();
    let started = Instant::now();
    let (done, failed) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    run_many(arguments.seed, arguments.runs, arguments.threads, |outcome, took| {
        let mut outcome = outcome.clone();
        if arguments.twice && run(outcome.seed) != outcome {
            outcome.wrong.push("a second run of the same seed was another".to_owned());
        }
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        print!("{done}/{} {}", arguments.runs, report(&outcome, took));
        if !outcome.wrong.is_empty() {
            failed.lock().unwrap_or_else(PoisonError::into_inner).push(outcome.seed);
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let seconds = started.elapsed().as_secs_f64();
    println!("{} runs, {} failed {failed:?}, {seconds:.0} s", arguments.runs, failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A line about a seed, and if something is wrong, what, and how to repeat it.
fn report(outcome: &Outcome, took: Duration) -> String {
    let Outcome { seed, plan, wrong, steps, counts, cluster, .. } = outcome;
    let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    let seconds = took.as_secs_f64();
    let mut report =
        format!("seed {seed}: {seconds:.1} s, {steps} steps of the store; {}\n", counts.join(", "));
    if !wrong.is_empty() {
        report += &format!("  {plan}\n  {cluster:?}\n  {} faults, the first of them:\n", wrong.len());
        report += &wrong.iter().take(12).map(|what| format!("    {what}\n")).collect::<String>();
        report += &format!("  again: cargo xtask simulate --seed {seed}\n");
    }
    report
}
