//! `cargo xtask demo`: an agent buys from two merchants, on a local validator.

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{build, checkout, validator};

/// Starts solana-test-validator with the program, a verifier and two merchants as processes of their own; an owner
/// funds an escrow and gives an agent a session with limits; the agent buys ten things and is refused an eleventh.
/// Ends with tables of what was paid, and succeeds only if every balance adds up to the last base unit.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Print one JSON object on standard output instead of tables
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    build::run(&build::Arguments::default())?;
    let validator = validator::locate_or_build()?;
    build_binaries()?;
    let status = std::process::Command::new(checkout::root()?.join("target/debug/demo"))
        .args(arguments.json.then_some("--json"))
        .env("X402_ESCROW_VALIDATOR", validator)
        .status()
        .context("running the demo")?;
    ensure!(status.success(), "the demo failed ({status})");
    Ok(())
}

/// Compiles the programs that the demo and the end-to-end tests start.
pub(crate) fn build_binaries() -> Result<()> {
    eprintln!("Compiling the verifier, the agent, a merchant and the demo (a first time some ten minutes)");
    let status = checkout::cargo()?
        .args(["build", "--workspace", "--bins", "--examples", "--locked", "--exclude", "xtask"])
        .current_dir(checkout::root()?)
        .status()
        .context("running cargo")?;
    ensure!(status.success(), "the binaries could not be compiled ({status})");
    Ok(())
}
