//! What the command line takes.

mod escrow;
mod exit;
mod fetch;
mod purchase;
mod session;
mod terminal;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use x402_escrow_wire::{text::Key, usdc};

use crate::{chain::Chain, owner};
pub(crate) use exit::{Exit, print_error};
use terminal::escaped;

/// Pays HTTP 402 challenges out of a USDC escrow on Solana.
///
/// The owner, with a wallet: opens an escrow, funds it, and gives an agent a session with limits. The agent, with the
/// session file and nothing else: fetches, and pays what is asked within those limits.
#[derive(Parser)]
#[command(name = "agent", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Print exactly one JSON object on standard output; for `fetch --count`, one a line for each request
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
    agent session revoke --session session.json
    agent escrow withdraw
  An owner without SOL, and anyone who has some:
    agent session revoke --all --sign-only > revocation.json
    agent session revoke --relay revocation.json
  The agent:
    agent fetch https://api.example.com/report --session session.json --max-amount 0.25
    agent fetch https://api.example.com/ticks --session session.json --max-amount 0.001 --stream 2.5 --count 100
    agent fetch https://api.example.com/report --session session.json --key order-7   # again: pays nothing twice
    agent purchase lookup order-7 --session session.json

Exit codes: 0 done, 1 failed and nothing signed, 2 not understood, 3 refused by the server, 4 paid or not: look it up,
5 served and cut off";

#[derive(Subcommand)]
enum Command {
    /// Open, fund, look at, empty and close an escrow (the owner)
    #[command(subcommand)]
    Escrow(escrow::Command),
    /// Give an agent's key a bounded right to spend, and take it back (the owner)
    #[command(subcommand)]
    Session(session::Command),
    /// Send an HTTP request and pay for it if the server asks (the agent)
    Fetch(fetch::Arguments),
    /// Find out what became of purchases (the agent)
    #[command(subcommand)]
    Purchase(purchase::Command),
}

/// A node, and the program on its cluster.
#[derive(Args, Clone)]
struct Node {
    /// URL of a Solana node
    #[arg(
        long,
        env = "X402_RPC_URL",
        value_name = "URL",
        default_value = "https://api.mainnet-beta.solana.com"
    )]
    rpc_url: String,
    /// The escrow program [default: the one deployed on the node's cluster; a session file names its own]
    #[arg(long, env = "X402_PROGRAM", value_name = "ADDRESS")]
    program: Option<Key>,
}

impl Node {
    fn connect(self) -> Chain {
        Chain::new(self.rpc_url, self.program.map(Into::into))
    }
}

/// What an owner's command needs to reach the chain.
#[derive(Args)]
struct Owner {
    /// Keypair file that signs and pays, as Solana's command line makes it [default: ~/.config/solana/id.json]
    #[arg(long, env = "X402_KEYPAIR", value_name = "FILE")]
    keypair: Option<PathBuf>,
    #[command(flatten)]
    node: Node,
    /// The token's mint; USDC on mainnet if not given
    #[arg(long, env = "X402_MINT", value_name = "ADDRESS", default_value = usdc::MAINNET_MINT)]
    mint: Key,
}

impl Owner {
    async fn connect(self) -> Result<owner::Owner> {
        let keypair = owner::read_keypair(self.keypair)?;
        owner::Owner::new(keypair, self.mint.into(), self.node.connect()).await
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<Exit> {
    let json = arguments.json;
    match arguments.command {
        Command::Escrow(command) => escrow::run(command, json).await.map(|()| Exit::Done),
        Command::Session(command) => session::run(command, json).await.map(|()| Exit::Done),
        Command::Fetch(arguments) => fetch::run(arguments, json).await,
        Command::Purchase(command) => purchase::run(command, json).await,
    }
}

/// Prints the result: the object for machines, or the lines for people.
fn print(json: bool, object: &serde_json::Value, lines: &[(&str, String)]) {
    if json {
        println!("{}", terminal::json(object));
        return;
    }
    let width = lines.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    for (label, value) in lines {
        println!("{label:<width$}  {}", escaped(value));
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_revocation_names_its_target_once() {
        let parse = |arguments: &[&str]| {
            let revoke = ["agent", "session", "revoke"].iter().chain(arguments);
            Arguments::try_parse_from(revoke).map(|_| ()).map_err(|error| error.kind())
        };
        let key = Key::from(x402_escrow_interface::Address::default()).to_string();
        for target in
            [&["--all"] as &[&str], &["--session", "s"], &["--session-key", &key], &["--relay", "-"]]
        {
            assert_eq!(parse(target), Ok(()));
            assert!(parse(&[target, &["--session", "t"]].concat()).is_err(), "{target:?}");
        }
        assert!(parse(&[]).is_err());
        assert!(parse(&["--relay", "-", "--sign-only"]).is_err());
        assert!(parse(&["--relay", "-", "--escrow", &key]).is_err());
    }
}
