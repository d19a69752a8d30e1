mod close;
mod limits;
mod list;
mod many;
mod nonces;
mod open;
mod opening;
mod receivers;
mod revocation;
mod revoke;
mod update;
mod view;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use x402_escrow_agent::SessionFile;
use x402_escrow_interface::{Address, account::Session, address};
use x402_escrow_wire::text::Key;

use super::history::{self, History};
use crate::{
    chain::Chain,
    owner::Owner,
    problem::{Code, Exit, Problem},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a key for an agent, with limits; the agent needs only the session file
    Open(open::Open),
    /// Open many sessions, listed in a CSV or JSON file
    #[command(long_about = many::ABOUT)]
    OpenMany(many::OpenMany),
    /// Show all sessions: limits, what is spent and left, expiry, open holds
    List(list::List),
    /// Show one session
    Show(Seen),
    /// Change a session's limits, expiry or receivers
    Update(update::Update),
    /// Stop a session or all of them at once; what is held stays held
    #[command(long_about = revoke::ABOUT)]
    Revoke(revoke::Revoke),
    /// Close a session without open holds, and get its rent back; holds past their deadline are reclaimed first
    Close(close::Close),
    /// Show what happened in a session, from the chain
    History(SessionHistory),
    /// Compute the root of a list of receivers, as the chain stores it
    Receivers(receivers::Receivers),
    /// Show which nonces a session file used, or set the next one (the agent)
    #[command(long_about = nonces::ABOUT)]
    Nonces(nonces::Nonces),
}

/// Which session.
#[derive(Args)]
pub(super) struct Which {
    /// The session's file
    #[arg(long, value_name = "FILE", required_unless_present = "session_key")]
    session: Option<PathBuf>,
    /// The session's public key, without its file
    #[arg(long, value_name = "KEY", conflicts_with = "session")]
    session_key: Option<Key>,
}

#[derive(Args)]
pub(super) struct Seen {
    #[command(flatten)]
    owner: super::Owner,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct SessionHistory {
    #[command(flatten)]
    seen: Seen,
    #[command(flatten)]
    history: History,
}

pub(super) async fn run(command: Command, json: bool) -> Result<Exit> {
    match command {
        Command::Open(open) => open::run(open, json).await?,
        Command::OpenMany(many) => many::run(many, json).await?,
        Command::List(list) => list::run(list, json).await?,
        Command::Show(seen) => list::show(seen, json).await?,
        Command::Update(update) => update::run(update, json).await?,
        Command::Revoke(revoke) => revoke::run(revoke, json).await?,
        Command::Close(close) => return close::run(close, json).await,
        Command::History(SessionHistory { seen, history }) => {
            let owner = seen.owner.connect().await?;
            let escrow = owner.escrow().await?;
            // It may be closed, and still has a history.
            let address = session_address(&owner, &seen.which.read()?.0);
            history::show(&owner, &address, escrow.decimals, history, json).await?;
        }
        Command::Receivers(receivers) => receivers::run(&receivers, json)?,
        Command::Nonces(nonces) => nonces::run(nonces, json).await?,
    }
    Ok(Exit::Done)
}

impl Which {
    /// The session's key, and its file if that was named.
    fn read(&self) -> Result<(Address, Option<SessionFile>)> {
        let file = self.session.as_deref().map(SessionFile::read).transpose()?;
        let key = file.as_ref().map(|file| file.session_key).or(self.session_key);
        let key = key.ok_or_else(|| {
            Problem::argument("--session", "names no session").remedy("or name its key with --session-key")
        })?;
        Ok((key.into(), file))
    }
}

fn session_address(owner: &Owner, session_key: &Address) -> Address {
    address::session(&owner.program, &owner.escrow_address(), session_key)
}

/// The session of a key under an escrow, with its address.
async fn session_under(
    chain: &Chain,
    program: &Address,
    escrow: &Address,
    session_key: &Address,
) -> Result<(Address, Session)> {
    let address = address::session(program, escrow, session_key);
    let session = chain.session(&address).await?.ok_or_else(|| missing(session_key, escrow))?;
    Ok((address, session))
}

/// The same under the owner's escrow.
async fn session_of(owner: &Owner, session_key: &Address) -> Result<(Address, Session)> {
    session_under(&owner.chain, &owner.program, &owner.escrow_address(), session_key).await
}

fn missing(session_key: &Address, escrow: &Address) -> Problem {
    Problem::new(
        Code::SessionNotFound,
        format!("there is no session of {session_key} under the escrow {escrow}"),
    )
    .of("--session-key")
    .remedy("agent session list shows all of them; --mint and --keypair name the escrow")
}
