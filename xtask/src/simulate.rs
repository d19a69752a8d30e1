//! `cargo xtask simulate`: runs the verifier's engine in simulated time.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{build, checkout};

/// Runs the real verifier in simulated time, over a simulated cluster that executes the real program and can fork, skip,
/// delay, lag and lie, with honest and hostile people, and crashes at any step of the store. In the end everything that
/// was answered yes must be captured once or given back, and the books must equal the chain. The seed determines the run.
#[derive(Args)]
pub(crate) struct Arguments {
    /// This seed alone, or the first of --runs
    #[arg(long)]
    seed: Option<u64>,
    /// How many seeds, from the first on [default: 1 with --seed, else 50]
    #[arg(long)]
    runs: Option<u64>,
    /// 5,000 seeds
    #[arg(long, conflicts_with = "runs")]
    full: bool,
    /// Run each seed twice, and compare
    #[arg(long)]
    twice: bool,
}

const PROGRAM: &str = "x402-escrow-simulation";

/// How many seeds `cargo xtask test` takes.
pub(crate) const RUNS: u64 = 50;

/// How many seeds with `--full`.
const FULL_RUNS: u64 = 5_000;

/// Tells the simulation's test how many seeds to take.
pub(crate) const RUNS_VARIABLE: &str = "X402_ESCROW_SIMULATION_RUNS";

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    build::run(&build::Arguments::default())?;
    let runs = match arguments.runs {
        Some(runs) => runs,
        None if arguments.full => FULL_RUNS,
        None if arguments.seed.is_some() => 1,
        None => RUNS,
    };
    let root = checkout::root()?;
    checkout::build(&["--bin", PROGRAM])?;
    let status = Command::new(root.join("target/debug").join(PROGRAM))
        .args(["--seed", &arguments.seed.unwrap_or(1).to_string(), "--runs", &runs.to_string()])
        .args(arguments.twice.then_some("--twice"))
        .current_dir(&root)
        .status()
        .context("running the simulation")?;
    ensure!(status.success(), "a run failed ({status}); it says above how to repeat it");
    Ok(())
}
