//! `cargo xtask demo`: an agent buys from two merchants, on a local validator.

use anyhow::Result;
use clap::Args;

use crate::local;

/// Starts solana-test-validator with the program, a verifier and two merchants as processes of their own; an owner
/// funds an escrow and gives an agent a session with limits; the agent buys ten things and is refused an eleventh.
/// Ends with tables of what was paid and how long it took to become final, beside published figures of mainnet, and
/// succeeds only if every balance adds up to the last base unit.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Print one JSON object on standard output instead of tables
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut demo = local::ready("demo")?;
    demo.args(arguments.json.then_some("--json"));
    local::become_it(&mut demo)
}
