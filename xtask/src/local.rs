//! What runs on a local cluster: the sandbox and the demo, and the programs that these and the tests start.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{build, checkout, validator};

/// What is started as processes of their own, and what starts them.
const PROGRAMS: [[&str; 2]; 6] = [
    ["--bin", "agent"],
    ["--bin", "verifier"],
    ["--bin", "merchant"],
    ["--bin", "sandbox"],
    ["--bin", "demo"],
    ["--example", "merchant"],
];

/// Makes ready what a program of the sandbox's crate needs, and returns the command that runs it.
pub(crate) fn ready(program: &str) -> Result<Command> {
    build::escrow()?;
    let validator = validator::locate_or_build()?;
    build_programs()?;
    let mut command = Command::new(checkout::root()?.join("target/debug").join(program));
    command.env("X402_ESCROW_VALIDATOR", validator);
    Ok(command)
}

/// Compiles the programs that are started on a local cluster, and nothing else.
pub(crate) fn build_programs() -> Result<()> {
    eprintln!("Compiling the verifier, the agent and a merchant (a first time some five minutes)");
    checkout::build(PROGRAMS.as_flattened())
}

/// Lets a program take this one's place, so that signals reach it.
pub(crate) fn become_it(command: &mut Command) -> Result<()> {
    let error = command.exec();
    Err(error).with_context(|| format!("running {}", command.get_program().display()))
}
