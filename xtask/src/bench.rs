//! `cargo xtask bench`: what things cost.

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};

use crate::{build, checkout, validator};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Subcommand)]
enum Subject {
    /// Compute units, bytes, fees and rent of the on-chain program
    Program(ProgramArguments),
}

/// Runs every instruction on LiteSVM, packs payments into transactions there and, in version 1, on
/// solana-test-validator, and prints tables of what it took beside the targets. Takes about a minute.
#[derive(Args)]
struct ProgramArguments {
    /// Print one JSON object on standard output instead of tables
    #[arg(long)]
    json: bool,
    /// Fail if a figure is more than 3 % worse than in tests/bench-baseline.json
    #[arg(long, conflicts_with = "write_baseline")]
    check: bool,
    /// Make these figures the baseline, and write them into docs/benchmarks.md
    #[arg(long)]
    write_baseline: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.subject {
        Subject::Program(arguments) => program(arguments),
    }
}

fn program(arguments: &ProgramArguments) -> Result<()> {
    build::run(&build::Arguments::default())?;
    let validator = validator::locate_or_build()?;
    let root = checkout::root()?;
    eprintln!("Compiling what measures it (a first time some ten minutes)");
    let status = checkout::cargo()?
        .args(["build", "--locked", "--package", "x402-escrow-tests", "--bin", "bench-program"])
        .current_dir(&root)
        .status()
        .context("running cargo")?;
    ensure!(status.success(), "the benchmark could not be compiled ({status})");
    let status = std::process::Command::new(root.join("target/debug/bench-program"))
        .args(arguments.json.then_some("--json"))
        .args(arguments.check.then_some("--check"))
        .args(arguments.write_baseline.then_some("--write-baseline"))
        .env("X402_ESCROW_VALIDATOR", validator)
        .status()
        .context("running the benchmark")?;
    ensure!(status.success(), "the benchmark failed ({status})");
    Ok(())
}
