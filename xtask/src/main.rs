//! The project's own commands: `cargo xtask <command>`.
//!
//! Reading order: one module per command, of which `program` has those that compile the on-chain program, with its
//! toolchain. Then what they share: `checkout` (where things are), `cache` (what is fetched or built once), `progress`
//! and `steps` (what takes long).

mod apt;
mod bench;
mod cache;
mod check;
mod checkout;
mod chromium;
mod demo;
mod fault;
mod fuzz;
mod local;
mod npm;
mod postgres;
mod program;
mod progress;
mod python;
mod sandbox;
mod simulate;
mod steps;
mod test;
mod validator;
#[cfg(test)]
mod walls;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use program::{build, idl, toolchain};

/// Builds, runs and tests x402-escrow. Every command sets up what it needs and says so.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compile the on-chain program to target/deploy/x402_escrow.so
    Build(build::Arguments),
    /// Change what the on-chain program is compiled with
    Toolchain(toolchain::Arguments),
    /// Find solana-test-validator, or build it; the last line of standard output is its path
    Validator(validator::Arguments),
    /// Write idl/x402_escrow.json from the program's source
    Idl(idl::Arguments),
    /// Start a local cluster with everything that a payment passes through, to develop against
    Sandbox(sandbox::Arguments),
    /// Show an agent buy from two merchants on a local validator
    Demo(demo::Arguments),
    /// Measure what the program costs, and how fast the verifier takes vouchers
    Bench(bench::Arguments),
    /// Check in two minutes what a change most likely breaks
    Check(check::Arguments),
    /// Run every test there is
    Test(test::Arguments),
    /// Kill processes at random while payments go through them
    Fault(fault::Arguments),
    /// Run the verifier in simulated time, with everything that can go wrong
    Simulate(simulate::Arguments),
    /// Give arbitrary bytes to every parser of untrusted input
    Fuzz(fuzz::Arguments),
}

fn main() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::Build(arguments) => build::run(&arguments).map(drop),
        Command::Toolchain(arguments) => toolchain::run(&arguments),
        Command::Validator(arguments) => validator::run(&arguments),
        Command::Idl(arguments) => idl::run(&arguments),
        Command::Sandbox(arguments) => sandbox::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Check(check::Arguments {}) => check::run(),
        Command::Test(arguments) => test::run(&arguments),
        Command::Fault(arguments) => fault::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
