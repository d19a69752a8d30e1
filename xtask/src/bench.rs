//! `cargo xtask bench`: what things cost.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};

use crate::{build, checkout, demo, validator};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Subcommand)]
enum Subject {
    /// Compute units, bytes, fees and rent of the on-chain program
    Program(ProgramArguments),
    /// Vouchers a second through the verifier, beside what the disk can do
    Vouchers(VouchersArguments),
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

/// Opens streamed holds on solana-test-validator, sends vouchers to a verifier with SQLite over HTTP on this machine, on
/// one hold and on many at once, and writes to the same disk as often as it takes. Compiled without optimisation, as the
/// tests are; takes about a minute.
#[derive(Args)]
struct VouchersArguments {
    /// Print one JSON object on standard output instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.subject {
        Subject::Program(arguments) => program(arguments),
        Subject::Vouchers(arguments) => vouchers(arguments),
    }
}

fn program(arguments: &ProgramArguments) -> Result<()> {
    let mut benchmark = prepare("bench-program")?;
    benchmark
        .args(arguments.json.then_some("--json"))
        .args(arguments.check.then_some("--check"))
        .args(arguments.write_baseline.then_some("--write-baseline"));
    finish(&mut benchmark)
}

fn vouchers(arguments: &VouchersArguments) -> Result<()> {
    demo::build_binaries()?;
    finish(prepare("bench-vouchers")?.args(arguments.json.then_some("--json")))
}

/// Sets up what the benchmark needs, and compiles it.
fn prepare(name: &str) -> Result<Command> {
    build::run(&build::Arguments::default())?;
    let validator = validator::locate_or_build()?;
    let root = checkout::root()?;
    eprintln!("Compiling what measures it (a first time some ten minutes)");
    let status = checkout::cargo()?
        .args(["build", "--locked", "--package", "x402-escrow-tests", "--bin", name])
        .current_dir(&root)
        .status()
        .context("running cargo")?;
    ensure!(status.success(), "the benchmark could not be compiled ({status})");
    let mut benchmark = Command::new(root.join("target/debug").join(name));
    benchmark.env("X402_ESCROW_VALIDATOR", validator);
    Ok(benchmark)
}

fn finish(benchmark: &mut Command) -> Result<()> {
    let status = benchmark.status().context("running the benchmark")?;
    ensure!(status.success(), "the benchmark failed ({status})");
    Ok(())
}
