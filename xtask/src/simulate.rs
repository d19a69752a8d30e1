//! `cargo xtask simulate`: runs the verifier's engine in simulated time.

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{build, checkout};

/// Runs the real verifier in simulated time, over a simulated cluster that executes the real program and can fork, skip,
/// delay and lag, with honest and hostile people, and crashes at any step of the store. In the end everything that was
/// answered yes must be captured once or given back, and the books must equal the chain. The seed determines the run.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, from the first on [default: 1 with a seed, else 50]
    #[arg(long)]
    runs: Option<u64>,
    /// 5,000 seeds
    #[arg(long, conflicts_with = "runs")]
    full: bool,
    /// Run each seed twice, and compare
    #[arg(long)]
    twice: bool,
}

/// How many seeds `.ci/run` takes.
const RUNS: u64 = 50;

/// How many seeds with `--full`.
const FULL_RUNS: u64 = 5_000;

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    build::run(&build::Arguments::default())?;
    let of_one = if arguments.seed == 1 { RUNS } else { 1 };
    let runs = if arguments.full { FULL_RUNS } else { arguments.runs.unwrap_or(of_one) };
    let mut cargo = checkout::cargo()?;
    cargo
        .args(["run", "--locked", "--profile", "simulation", "--package", "x402-escrow-simulation", "--"])
        .args(["--seed", &arguments.seed.to_string(), "--runs", &runs.to_string()])
        .args(arguments.twice.then_some("--twice"))
        .current_dir(checkout::root()?);
    let status = cargo.status().context("running cargo")?;
    ensure!(status.success(), "a run failed ({status}); it says above how to repeat it");
    Ok(())
}
