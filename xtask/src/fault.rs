//! `cargo xtask fault`: kills what payments go through, and looks whether all is right in the end.

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use crate::{build, checkout, local, validator};

/// Sells through the verifier on solana-test-validator, kills processes (SIGKILL) at random and starts them again. In
/// the end every payment that was answered yes must be captured once or given back, and all books must agree. The seed,
/// which the run prints, determines its choices.
#[derive(Args)]
pub(crate) struct Arguments {
    /// What to kill
    run: Run,
    /// Repeat the choices of the run that printed this seed [default: the time]
    #[arg(long)]
    seed: Option<u64>,
    /// How often to kill [default: 25; 2 for the validator]
    #[arg(long)]
    kills: Option<u32>,
    /// Kill 1,000 times, and the validator 30 times
    #[arg(long, conflicts_with = "kills")]
    full: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Run {
    /// The verifier, while payments are held, captured and released
    Payments,
    /// The verifier and two instances of a merchant, while vouchers are streamed
    Streams,
    /// The validator, which mostly loses its last slots, while payments are held, captured and released
    Validator,
}

impl Run {
    /// The module of the test.
    fn test(self) -> &'static str {
        match self {
            Self::Payments => "payments::",
            Self::Streams => "streams::",
            Self::Validator => "forks::",
        }
    }

    /// Says how often something is killed.
    fn variable(self) -> &'static str {
        match self {
            Self::Payments | Self::Streams => KILLS,
            Self::Validator => RESTARTS,
        }
    }
}

const KILLS: &str = "X402_ESCROW_KILLS";
const RESTARTS: &str = "X402_ESCROW_RESTARTS";

/// How often something is killed with `--full`, by environment variable.
pub(crate) const FULL: [(&str, &str); 2] = [(KILLS, "1000"), (RESTARTS, "30")];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    build::escrow()?;
    let validator = validator::locate_or_build()?;
    local::build_programs()?;
    let mut cargo = checkout::cargo()?;
    cargo
        // Of the whole workspace: a package alone is compiled with other features.
        .args(["test", "--locked", "--workspace", "--test", "crash_run"])
        .args([arguments.run.test(), "--", "--nocapture"])
        .current_dir(checkout::root()?)
        .env("X402_ESCROW_VALIDATOR", validator);
    if arguments.full {
        cargo.envs(FULL);
    }
    if let Some(kills) = arguments.kills {
        cargo.env(arguments.run.variable(), kills.to_string());
    }
    if let Some(seed) = arguments.seed {
        cargo.env("X402_ESCROW_SEED", seed.to_string());
    }
    let status = cargo.status().context("running cargo")?;
    ensure!(status.success(), "the run failed ({status}); it says above how to repeat it");
    Ok(())
}
