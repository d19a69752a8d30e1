//! `cargo xtask bench`: what things cost.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};

use crate::{build, checkout, local, postgres, validator};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Subcommand)]
enum Subject {
    /// Compute units, bytes, fees and rent of the on-chain program
    Program(ProgramArguments),
    /// How much the verifier carries, compared with a handler that only checks signatures
    Load(LoadArguments),
}

/// Runs every instruction on LiteSVM, packs payments into transactions there and, in version 1, on
/// solana-test-validator, and prints tables of the costs beside the targets. Takes about a minute.
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

/// Starts solana-test-validator, PostgreSQL and verifiers, all compiled with optimisation, and loads each and its
/// comparison in turn, from a process of its own. Prints the ratios of three rounds beside the targets. Takes more
/// than thirty minutes.
#[derive(Args)]
struct LoadArguments {
    /// Print one JSON object on standard output instead of a table
    #[arg(long)]
    json: bool,
    /// Fail if a target is missed, or a ratio is a quarter below tests/bench-load-baseline.json
    #[arg(long)]
    check: bool,
    /// Compare processor time for less than three minutes, on programs compiled as for tests, and fail if a ratio is a
    /// quarter below tests/bench-load-quick-baseline.json
    #[arg(long, conflicts_with = "check")]
    quick: bool,
    /// Make these figures the baseline, and write them into docs/benchmarks.md; with --quick, make them that one's baseline
    #[arg(long)]
    write_baseline: bool,
    /// Measure only the subjects whose name contains this
    #[arg(long, conflicts_with = "write_baseline")]
    only: Option<String>,
}

/// Crates in `tests` that run other people's code, each in a workspace of its own. The second is the subject of bench-load
/// that needs it, the third the variable that tells bench-load where its program is.
const PEERS: [(&str, &str, &str); 2] = [
    ("peer-facilitator", "exact", "X402_BENCH_PEER_FACILITATOR"),
    ("peer-vouchers", "voucher, read and checked", "X402_BENCH_PEER_VOUCHERS"),
];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.subject {
        Subject::Program(arguments) => program(arguments),
        Subject::Load(arguments) => load(arguments),
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

fn load(arguments: &LoadArguments) -> Result<()> {
    let mut benchmark = prepare("bench-load")?;
    local::build_programs()?;
    let root = checkout::root()?;
    let only = arguments.only.as_deref().unwrap_or_default();
    for (peer, subject, variable) in PEERS {
        // As bench-load chooses its subjects: none that CI measures needs a peer.
        if !arguments.quick && subject.contains(only) {
            benchmark.env(variable, build_peer(&root, peer)?);
        }
    }
    let profiles: &[&str] = if arguments.quick {
        checkout::build(&["--bin", "load-part"])?;
        &["debug"]
    } else {
        build_release(&root)?;
        &["release", "debug"]
    };
    let database = postgres::Server::start()?;
    let programs = profiles.iter().map(|profile| root.join("target").join(profile));
    benchmark
        .env("X402_ESCROW_PROGRAMS", env::join_paths(programs)?)
        .env("X402_BENCH_POSTGRES", database.url())
        .args(arguments.json.then_some("--json"))
        .args(arguments.check.then_some("--check"))
        .args(arguments.quick.then_some("--quick"))
        .args(arguments.write_baseline.then_some("--write-baseline"));
    if let Some(only) = &arguments.only {
        benchmark.args(["--only", only]);
    }
    finish(&mut benchmark)
}

/// Compiles what is measured.
fn build_release(root: &Path) -> Result<()> {
    eprintln!("Compiling what is measured, with optimisation (a first time some fifteen minutes)");
    let status = checkout::cargo()?
        .args(["build", "--release", "--locked", "--package", "x402-escrow-verifier"])
        .args(["--package", "x402-escrow-load", "--bin", "verifier", "--bin", "load-part"])
        .current_dir(root)
        .status()
        .context("running cargo")?;
    ensure!(status.success(), "what is measured could not be compiled ({status})");
    Ok(())
}

/// Compiles one of [`PEERS`], and returns where its program is.
fn build_peer(root: &Path, peer: &str) -> Result<PathBuf> {
    eprintln!("Compiling {peer}, with optimisation (a first time some ten minutes)");
    let target = root.join("target").join(peer);
    let status = checkout::cargo()?
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(root.join("tests").join(peer).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .status()
        .context("running cargo")?;
    ensure!(status.success(), "{peer} could not be compiled ({status})");
    Ok(target.join("release").join(peer))
}

/// Sets up what the benchmark needs, and compiles it.
fn prepare(name: &str) -> Result<Command> {
    build::escrow()?;
    let validator = validator::locate_or_build()?;
    eprintln!("Compiling what measures it (a first time some five minutes)");
    checkout::build(&["--bin", name])?;
    let mut benchmark = Command::new(checkout::root()?.join("target/debug").join(name));
    benchmark.env("X402_ESCROW_VALIDATOR", validator);
    Ok(benchmark)
}

fn finish(benchmark: &mut Command) -> Result<()> {
    let status = benchmark.status().context("running the benchmark")?;
    ensure!(status.success(), "the benchmark failed ({status})");
    Ok(())
}
