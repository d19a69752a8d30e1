//! `cargo xtask sandbox`: everything that a payment passes through, to develop against.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::local;

/// Starts solana-test-validator with the escrow program, a token like USDC, an owner with an escrow, a session for an
/// agent, a verifier, and a merchant with routes at a fixed price, per unit and streamed. Prints every URL and file
/// and commands to paste, shows payments as they happen, and ends everything on Ctrl-C.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Print one JSON object on standard output once everything is up, and payments on standard error
    #[arg(long)]
    json: bool,
    /// Listen on any free ports instead of 8899, 8900, 4020, 4021 and 4022, so that several sandboxes can run
    #[arg(long)]
    free_ports: bool,
    /// Folder of keys, the session file and logs; removed at the end [default: target/sandbox, or a temporary folder
    /// with --free-ports]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut sandbox = local::ready("sandbox")?;
    sandbox.args(arguments.json.then_some("--json"));
    sandbox.args(arguments.free_ports.then_some("--free-ports"));
    if let Some(folder) = &arguments.folder {
        sandbox.arg("--folder").arg(folder);
    }
    local::become_it(&mut sandbox)
}
