//! What the command line takes.

mod escrow;
mod fetch;
mod session;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use x402_escrow_wire::text::Key;

/// USDC on mainnet.
const USDC: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";

/// Pays HTTP 402 challenges out of a USDC escrow on Solana.
///
/// The owner, with a wallet: opens an escrow, funds it, and gives an agent a session with limits. The agent, with the
/// session file and nothing else: fetches, and pays what is asked within those limits.
#[derive(Parser)]
#[command(name = "agent", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Print one JSON object on standard output; for `fetch --count`, one a line for each response
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  The owner:
    agent escrow open --amount 20
    agent session open --max-payment 0.50 --max-total 10 --max-per-period 1 --period 1h --out session.json
    agent escrow status
    agent escrow withdraw
  The agent:
    agent fetch https://api.example.com/report --session session.json --max-amount 0.25
    agent fetch https://api.example.com/ticks --session session.json --max-amount 0.001 --stream 2.5 --count 100";

#[derive(Subcommand)]
enum Command {
    /// Open, fund, look at and empty an escrow (the owner)
    #[command(subcommand)]
    Escrow(escrow::Command),
    /// Give an agent's key a bounded right to spend, and take it back (the owner)
    #[command(subcommand)]
    Session(session::Command),
    /// Send an HTTP request and pay for it if the server asks (the agent)
    Fetch(fetch::Arguments),
}

/// What an owner's command needs to reach the chain.
#[derive(Args)]
struct Owner {
    /// The owner's keypair file, as Solana's command line makes it [default: ~/.config/solana/id.json]
    #[arg(long, env = "X402_KEYPAIR", value_name = "FILE")]
    keypair: Option<PathBuf>,
    /// URL of a Solana node
    #[arg(
        long,
        env = "X402_RPC_URL",
        value_name = "URL",
        default_value = "https://api.mainnet-beta.solana.com"
    )]
    rpc_url: String,
    /// The token's mint; USDC on mainnet if not given
    #[arg(long, env = "X402_MINT", value_name = "ADDRESS", default_value = USDC)]
    mint: Key,
}

impl Owner {
    fn connect(self) -> Result<crate::owner::Owner> {
        crate::owner::Owner::new(self.keypair, self.rpc_url, self.mint.into())
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let json = arguments.json;
    match arguments.command {
        Command::Escrow(command) => escrow::run(command, json).await,
        Command::Session(command) => session::run(command, json).await,
        Command::Fetch(arguments) => fetch::run(arguments, json).await,
    }
}

/// Prints the result: the object for machines, or the lines for people.
fn print(json: bool, object: &serde_json::Value, lines: &[(&str, String)]) {
    if json {
        println!("{object}");
        return;
    }
    let width = lines.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    for (label, value) in lines {
        println!("{label:<width$}  {value}");
    }
}
