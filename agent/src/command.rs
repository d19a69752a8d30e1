//! What the command line takes.

mod escrow;
mod exit;
mod fetch;
mod history;
mod purchase;
mod session;
mod terminal;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use solana_clap_v3_utils::input_validators::normalize_to_url_if_moniker;
use solana_sdk::instruction::Instruction;
use x402_escrow_wire::{amount, text::Key, usdc};

use crate::{
    chain::{Chain, Sent},
    owner::{self, Carried, Defaults, Manner, OwnerKey, Plan, costs, sol},
    problem::{Exit, Problem},
};
pub(crate) use exit::{print_error, usage};
use terminal::escaped;

/// Pays HTTP 402 challenges out of a USDC escrow on Solana.
///
/// The owner, with a wallet: opens an escrow, funds it, and gives an agent a session with limits. The agent, with the
/// session file and nothing else: fetches, and pays what is asked within those limits.
#[derive(Parser)]
#[command(name = "agent", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Print exactly one JSON object on standard output; with `fetch --count`, one per request, each on a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  The owner:
    agent escrow open --amount 20
    agent session open --max-payment 0.50 --max-total 10 --max-per-period 1 --period 1h \\
        --verifier https://verifier.example.com --out session.json
    agent session list
    agent session update --session session.json --max-total 20
    agent session revoke --session session.json
    agent escrow withdraw
  An owner without SOL, through a verifier or anyone who has some:
    agent session revoke --all --through https://verifier.example.com
    agent session revoke --all --sign-only > revocation.json
    agent session revoke --relay revocation.json
  The agent:
    agent fetch https://api.example.com/report --session session.json --max-amount 0.25
    agent fetch https://api.example.com/ticks --session session.json --max-amount 0.001 --stream 2.5 --count 100
    agent fetch https://api.example.com/report --session session.json --key order-7   # again: pays nothing twice
    agent purchase lookup order-7 --session session.json

Exit codes: 0 done, 1 failed and nothing signed, 2 unusable arguments, 3 refused by a server, 4 unknown: look it up,
5 served and cut off, 6 no answer, 7 not on this cluster, 8 too little money or limit, 9 not yet";

#[derive(Subcommand)]
enum Command {
    /// Open, fund, show, empty and close an escrow (the owner)
    #[command(subcommand)]
    Escrow(escrow::Command),
    /// Give an agent's key a bounded right to spend, and take it back (the owner)
    #[command(subcommand)]
    Session(session::Command),
    /// Send an HTTP request and pay for it if the server asks (the agent)
    Fetch(fetch::Arguments),
    /// Look up purchases (the agent)
    #[command(subcommand)]
    Purchase(purchase::Command),
}

/// A node, and the program on its cluster.
#[derive(Args, Clone)]
struct Node {
    /// URL of a Solana node, or mainnet-beta, devnet, testnet or localhost [default: as solana config get shows]
    #[arg(long, env = "X402_RPC_URL", value_name = "URL")]
    rpc_url: Option<String>,
    /// The escrow program [default: the session file's, or the cluster's]
    #[arg(long, env = "X402_PROGRAM", value_name = "ADDRESS")]
    program: Option<Key>,
}

impl Node {
    fn connect(self) -> Result<Chain> {
        let rpc_url = match self.rpc_url {
            Some(rpc_url) => rpc_url,
            None => Defaults::read()?.rpc_url,
        };
        Ok(Chain::new(normalize_to_url_if_moniker(rpc_url), self.program.map(Into::into)))
    }
}

/// An owner that looks at its escrow.
#[derive(Args)]
struct Owner {
    /// Who signs and pays: a keypair file, usb://ledger, prompt://, stdin:// or -; or an address, only to read
    /// [default: as solana config get shows]
    #[arg(long, short, env = "X402_KEYPAIR", value_name = "SIGNER")]
    keypair: Option<String>,
    #[command(flatten)]
    node: Node,
    /// The token's mint; USDC on mainnet if not given
    #[arg(long, env = "X402_MINT", value_name = "ADDRESS", default_value = usdc::MAINNET_MINT)]
    mint: Key,
}

impl Owner {
    async fn connect(self) -> Result<owner::Owner> {
        self.connect_as(Manner::default()).await
    }

    async fn connect_as(self, manner: Manner) -> Result<owner::Owner> {
        let key = OwnerKey::of_owner(self.keypair.as_deref())?;
        owner::Owner::new(key, self.mint.into(), self.node.connect()?, manner).await
    }
}

/// An owner that changes something on chain.
#[derive(Args)]
struct Sender {
    #[command(flatten)]
    owner: Owner,
    #[command(flatten)]
    sending: Sending,
}

/// How transactions are carried out.
#[derive(Args)]
struct Sending {
    /// Check everything, show the cost, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Check everything, and print the unsigned transaction in base64 for a multisig or another signer
    #[arg(long, conflicts_with = "dry_run")]
    dump_transaction: bool,
    /// A nonce account, so that the transaction can be signed and sent at any time, not only within 150 blocks
    #[arg(long, value_name = "ADDRESS")]
    nonce: Option<Key>,
    /// Another signer, who pays fees and rent, and gets the rent back
    #[arg(long, value_name = "SIGNER")]
    fee_payer: Option<String>,
}

impl TryFrom<Sending> for Manner {
    type Error = anyhow::Error;

    fn try_from(sending: Sending) -> Result<Self> {
        let Sending { dry_run, dump_transaction: dump, nonce, fee_payer } = sending;
        let fee_payer = fee_payer.map(|source| OwnerKey::open("--fee-payer", &source)).transpose()?;
        Ok(Self { dry_run, dump, nonce_account: nonce.map(Into::into), fee_payer })
    }
}

impl Sender {
    async fn connect(self) -> Result<owner::Owner> {
        self.owner.connect_as(self.sending.try_into()?).await
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<Exit> {
    let json = arguments.json;
    match arguments.command {
        Command::Escrow(command) => escrow::run(command, json).await.map(|()| Exit::Done),
        Command::Session(command) => session::run(command, json).await,
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

/// Reads what `flag` was given, in tokens.
fn tokens(flag: &'static str, text: &str, decimals: u8) -> Result<u64, Problem> {
    let read = amount::parse(text, decimals);
    read.map_err(|error| Problem::argument(flag, error.to_string()).remedy("write it in tokens: 1.50"))
}

/// Returns the transaction that was sent. If none was, prints the plan and returns `None`.
fn sent_or_shown(carried: Carried, json: bool) -> Option<Sent> {
    let shown = match carried {
        Carried::Sent(sent) => return Some(sent),
        Carried::Shown(shown) => shown,
    };
    let lamports = |name: &str| shown[name].as_str().and_then(|text| text.parse().ok()).unwrap_or_default();
    let text = |name: &str| shown[name].as_str().map(str::to_owned);
    let mut lines = vec![
        ("action", text("action").unwrap_or_default()),
        ("state", text("state").unwrap_or_default()),
        ("costs", costs(lamports("rentLamports"), lamports("feeLamports"))),
    ];
    lines.extend(text("blockhash").map(|hash| ("blockhash", hash)));
    lines.extend(text("nonceAccount").map(|account| ("nonce account", account)));
    lines.extend(text("transaction").map(|transaction| ("transaction", transaction)));
    print(json, &shown, &lines);
    None
}

/// Carries these out in as few transactions as can be, and returns their signatures; `None` after printing what was not
/// sent.
async fn carry_out_all(
    owner: &owner::Owner,
    title: &str,
    instructions: &[Instruction],
    json: bool,
) -> Result<Option<Vec<String>>> {
    let (mut transactions, mut rest) = (Vec::new(), instructions);
    while !rest.is_empty() {
        let (plan, fit) = Plan::filled(title, rest.iter().cloned(), None, &owner.fee_payer().address());
        rest = &rest[fit..];
        match sent_or_shown(owner.carry_out(plan).await?, json) {
            Some(sent) => transactions.push(sent.signature.to_string()),
            None => return Ok(None),
        }
    }
    Ok(Some(transactions))
}

/// Adds what a transaction was and cost.
fn add_sent(object: &mut serde_json::Value, lines: &mut Vec<(&'static str, String)>, sent: &Sent) {
    object["transaction"] = sent.signature.to_string().into();
    object["rentLamports"] = sent.rent.to_string().into();
    object["feeLamports"] = sent.fee.to_string().into();
    lines.push(("transaction", sent.signature.to_string()));
    let paid = sent.rent.saturating_add(sent.fee);
    lines.push(("paid", format!("{} SOL, {} of it rent", sol(paid), sol(sent.rent))));
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
