use std::{
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;
use solana_sdk::{
    instruction::Instruction,
    signature::{Keypair, Signer},
};
use x402_escrow_agent::SessionFile;
use x402_escrow_interface::{
    Address,
    account::Session,
    address,
    instruction::{self as build, Consent},
};
use x402_escrow_wire::text::{Base58, Decimal, Key};

use super::{
    missing,
    revocation::{Revocation, Scope, message},
};
use crate::{chain::Chain, command::print, owner::read_keypair};

pub(super) const ABOUT: &str = "\
Stop a session or all of them at once; what is held stays held

The escrow's owner and its guardian can. The guardian names the escrow, by the session file or with --escrow.

An owner without SOL signs with --sign-only and sends what is printed to anyone who has some, and who submits it with \
--relay. It can do nothing but revoke these sessions, so it needs no secrecy.";

#[derive(Args)]
pub(in crate::command) struct Revoke {
    #[command(flatten)]
    owner: crate::command::Owner,
    #[command(flatten)]
    target: Target,
    /// The escrow, where the keypair is its guardian's [default: the session file's, or the
    /// keypair's own]
    #[arg(long, value_name = "ADDRESS", conflicts_with = "relay")]
    escrow: Option<Key>,
    /// Print a signed message as JSON, for --relay, instead of sending a transaction
    #[arg(long, conflicts_with = "relay")]
    sign_only: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// The session's file
    #[arg(long, value_name = "FILE")]
    session: Option<PathBuf>,
    /// The session's public key, where the file is not at hand
    #[arg(long, value_name = "KEY")]
    session_key: Option<Key>,
    /// Every session of the escrow that was opened up to now
    #[arg(long)]
    all: bool,
    /// Submit what --sign-only printed, and pay the transaction's fee; - for standard input
    #[arg(long, value_name = "FILE")]
    relay: Option<PathBuf>,
}

/// The sessions to revoke, with their escrow and program.
struct Wanted {
    program: Address,
    escrow: Address,
    scope: Scope,
}

pub(super) async fn run(revoke: Revoke, json: bool) -> Result<()> {
    let keypair = read_keypair(revoke.owner.keypair.clone())?;
    let chain = revoke.owner.node.clone().connect();
    if let Some(path) = &revoke.target.relay {
        let Revocation { program, escrow, scope, revoker, signature } = read_revocation(path)?;
        let wanted = Wanted { program: program.into(), escrow: escrow.into(), scope };
        let consent = Consent::Signature(signature.0);
        return send(&chain, &keypair, &wanted, &revoker.into(), consent, json).await;
    }
    let wanted = wanted(&revoke, &chain, &keypair.pubkey()).await?;
    if revoke.sign_only {
        println!("{}", json!(sign(&wanted, &keypair)));
        return Ok(());
    }
    send(&chain, &keypair, &wanted, &keypair.pubkey(), Consent::Signer, json).await
}

fn read_revocation(path: &Path) -> Result<Revocation> {
    let name = || format!("--relay: {}", path.display());
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).with_context(name)?;
    } else {
        text = std::fs::read_to_string(path).with_context(name)?;
    }
    Revocation::read(&text).with_context(name)
}

fn sign(wanted: &Wanted, keypair: &Keypair) -> Revocation {
    let Wanted { program, escrow, scope } = *wanted;
    let signature = keypair.sign_message(&message(program, escrow, scope).signed_bytes());
    Revocation {
        program: program.into(),
        escrow: escrow.into(),
        scope,
        revoker: keypair.pubkey().into(),
        signature: Base58(signature.into()),
    }
}

/// Asks the node for what the arguments and the session file leave open: with a session file it
/// need not be asked.
async fn wanted(revoke: &Revoke, chain: &Chain, keypair: &Address) -> Result<Wanted> {
    let file = revoke.target.session.as_deref().map(SessionFile::read).transpose()?;
    let program = match &file {
        Some(file) => file.program.into(),
        None => chain.program().await?,
    };
    let escrow: Address = match (revoke.escrow, &file) {
        (Some(escrow), _) => escrow.into(),
        (None, Some(file)) => file.escrow.into(),
        (None, None) => own_escrow(chain, &program, keypair, &revoke.owner.mint.into()).await?,
    };
    let scope = match (file, revoke.target.session_key) {
        (Some(file), _) => Scope::Session { session_key: file.session_key, incarnation: file.incarnation },
        (None, Some(session_key)) => {
            let session = session(chain, &program, &escrow, &session_key.into()).await?;
            Scope::Session { session_key, incarnation: Base58(session.incarnation) }
        }
        (None, None) => Scope::All { opened_through_slot: Decimal(chain.slot().await?) },
    };
    Ok(Wanted { program, escrow, scope })
}

async fn own_escrow(chain: &Chain, program: &Address, payer: &Address, mint: &Address) -> Result<Address> {
    let escrow = address::escrow(program, payer, mint);
    chain.escrow(&escrow).await?.with_context(|| {
        format!("{payer} has no escrow of {mint} on this cluster; a guardian names the escrow with --escrow ADDRESS")
    })?;
    Ok(escrow)
}

async fn session(
    chain: &Chain,
    program: &Address,
    escrow: &Address,
    session_key: &Address,
) -> Result<Session> {
    let address = address::session(program, escrow, session_key);
    chain.session(&address).await?.with_context(|| missing(session_key, escrow))
}

/// Sends the revocation that `revoker` consents to, in a transaction that `keypair` signs and pays
/// for.
async fn send(
    chain: &Chain,
    keypair: &Keypair,
    wanted: &Wanted,
    revoker: &Address,
    consent: Consent,
    json: bool,
) -> Result<()> {
    let (instruction, what) = instruction(chain, wanted, revoker, consent).await?;
    let transaction = chain.send("Revoking", &[instruction], keypair).await?.to_string();
    let mut object = json!({ "state": "revoked", "transaction": transaction });
    match wanted.scope {
        Scope::Session { session_key, .. } => {
            let session = address::session(&wanted.program, &wanted.escrow, &session_key.into());
            object["session"] = json!(session.to_string());
        }
        Scope::All { opened_through_slot } => object["openedThroughSlot"] = json!(opened_through_slot),
    }
    print(json, &object, &[("revoked", what), ("transaction", transaction)]);
    Ok(())
}

/// The instruction, and what it revokes, for people.
async fn instruction(
    chain: &Chain,
    wanted: &Wanted,
    revoker: &Address,
    consent: Consent,
) -> Result<(Instruction, String)> {
    let Wanted { program, escrow, scope } = wanted;
    match scope {
        Scope::Session { session_key, incarnation } => {
            let session = session(chain, program, escrow, &(*session_key).into()).await?;
            ensure!(
                session.incarnation == incarnation.0,
                "the session of {session_key} was closed and opened again since: nothing is left to revoke of the \
                 one that is meant"
            );
            let instruction = build::revoke_session(program, revoker, &session, consent);
            Ok((instruction, format!("the session of {session_key}")))
        }
        Scope::All { opened_through_slot } => {
            let slot = opened_through_slot.0;
            let instruction = build::revoke_sessions(program, revoker, escrow, slot, consent);
            Ok((instruction, format!("all sessions of {escrow} opened up to slot {slot}")))
        }
    }
}
