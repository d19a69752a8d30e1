mod nonces;
mod open;
mod revocation;
mod revoke;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use x402_escrow_agent::SessionFile;
use x402_escrow_interface::{Address, address, instruction as build};
use x402_escrow_wire::text::Key;

use super::print;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a key for an agent and give it limits; the file that comes out is all that the agent
    /// needs
    Open(open::Open),
    /// Stop a session or all of them at once; what is held stays held
    #[command(long_about = revoke::ABOUT)]
    Revoke(revoke::Revoke),
    /// Close a session without open holds, and get its rent back
    Close(Which),
    /// Show which nonces a session file used, or set the next one (the agent)
    #[command(long_about = nonces::ABOUT)]
    Nonces(nonces::Nonces),
}

#[derive(Args)]
pub(super) struct Which {
    #[command(flatten)]
    owner: super::Owner,
    /// The session's file
    #[arg(long, value_name = "FILE", required_unless_present = "session_key")]
    session: Option<PathBuf>,
    /// The session's public key, where the file is not at hand
    #[arg(long, value_name = "KEY", conflicts_with = "session")]
    session_key: Option<Key>,
}

pub(super) async fn run(command: Command, json: bool) -> Result<()> {
    match command {
        Command::Open(open) => open::run(open, json).await,
        Command::Revoke(revoke) => revoke::run(revoke, json).await,
        Command::Close(which) => close(which, json).await,
        Command::Nonces(nonces) => nonces::run(nonces, json).await,
    }
}

async fn close(which: Which, json: bool) -> Result<()> {
    let owner = which.owner.connect().await?;
    let session_key: Address = match (which.session, which.session_key) {
        (Some(path), _) => SessionFile::read(&path)?.session_key.into(),
        (None, Some(key)) => key.into(),
        (None, None) => bail!("name the session with --session or --session-key"),
    };
    let escrow = owner.escrow_address();
    let address = address::session(&owner.program, &escrow, &session_key);
    let session = owner.chain.session(&address).await?.with_context(|| missing(&session_key, &escrow))?;
    let instruction =
        build::close_session(&owner.program, &owner.address(), &escrow, &address, &session.rent_payer);
    let signature = owner.send("Closing the session", &[instruction]).await?.to_string();
    let object = json!({ "session": address.to_string(), "state": "closed", "transaction": signature });
    print(json, &object, &[("session", format!("{address} is closed")), ("transaction", signature)]);
    Ok(())
}

fn missing(session_key: &Address, escrow: &Address) -> String {
    format!("there is no session of {session_key} under the escrow {escrow}")
}
