use std::{
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use solana_sdk::instruction::Instruction;
use x402_escrow_agent::SessionFile;
use x402_escrow_interface::{
    Address, address,
    instruction::{self as build, Consent},
};
use x402_escrow_wire::{
    revocation::{Revocation, Scope},
    text::{Base58, Decimal, Key},
};

use super::{revocation, session_under};
use crate::{
    chain::Chain,
    command::{Sender, add_sent, print, sent_or_shown},
    owner::{Owner, OwnerKey, Plan, Verifier},
    problem::{Code, Problem},
};

pub(super) const ABOUT: &str = "\
Stop a session or all of them at once; what is held stays held

The escrow's owner and its guardian can. The guardian names the escrow, by the session file or with --escrow.

An owner without SOL has a verifier relay it, with --through URL; or signs with --sign-only and sends the output to \
anyone with SOL, who submits it with --relay. It can only revoke these sessions, so it needs no secrecy.";

#[derive(Args)]
pub(in crate::command) struct Revoke {
    #[command(flatten)]
    sender: Sender,
    #[command(flatten)]
    target: Target,
    /// The escrow, if the keypair is its guardian's [default: the session file's, or the keypair's own]
    #[arg(long, value_name = "ADDRESS", conflicts_with = "relay")]
    escrow: Option<Key>,
    /// Print a signed message as JSON, for --relay, instead of sending a transaction
    #[arg(long, conflicts_with_all = ["relay", "fee_payer"])]
    sign_only: bool,
    /// Have the verifier at this URL relay it, so that it costs no SOL
    #[arg(long, value_name = "URL", conflicts_with = "sign_only")]
    #[arg(conflicts_with_all = ["dry_run", "dump_transaction", "fee_payer"])]
    through: Option<String>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// The session's file
    #[arg(long, value_name = "FILE")]
    session: Option<PathBuf>,
    /// The session's public key, without its file
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
    let chain = revoke.sender.owner.node.clone().connect()?;
    // What is signed already needs no owner's key.
    if let (Some(path), Some(url)) = (&revoke.target.relay, &revoke.through) {
        return through(url, &read_revocation(path)?, json).await;
    }
    let key = OwnerKey::of_owner(revoke.sender.owner.keypair.as_deref())?;
    if let Some(path) = &revoke.target.relay {
        let Revocation { program, escrow, scope, revoker, signature } = read_revocation(path)?;
        let wanted = Wanted { program: program.into(), escrow: escrow.into(), scope };
        let consent = Consent::Signature(signature.0);
        let owner = relay(revoke.sender, key, chain, wanted.program)?;
        return send(&owner, &wanted, &revoker.into(), consent, json).await;
    }
    let wanted = wanted(&revoke, &chain, &key.address()).await?;
    if revoke.sign_only {
        println!("{}", json!(sign(&wanted, &key)?));
        return Ok(());
    }
    if let Some(url) = &revoke.through {
        return through(url, &sign(&wanted, &key)?, json).await;
    }
    let owner = relay(revoke.sender, key, chain, wanted.program)?;
    send(&owner, &wanted, &owner.address(), Consent::Signer, json).await
}

/// Whoever signs and pays for the transaction, which need not be the escrow's owner.
fn relay(sender: Sender, key: OwnerKey, chain: Chain, program: Address) -> Result<Owner> {
    let manner = sender.sending.try_into()?;
    Ok(Owner { key, mint: sender.owner.mint.into(), program, chain, manner })
}

/// Has a verifier relay what is signed.
async fn through(url: &str, revocation: &Revocation, json: bool) -> Result<()> {
    let answer = Verifier::new(url, "--through")?.relay(&json!(revocation)).await?;
    let transaction = answer["transaction"].as_str().map(str::to_owned);
    let object = json!({ "state": "revoked", "transaction": transaction, "through": url });
    let mut lines =
        vec![("revoked", what(revocation.scope, &revocation.escrow.into())), ("through", url.to_owned())];
    lines.extend(transaction.map(|transaction| ("transaction", transaction)));
    print(json, &object, &lines);
    Ok(())
}

fn read_revocation(path: &Path) -> Result<Revocation> {
    let name = || format!("--relay: {}", path.display());
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).with_context(name)?;
    } else {
        text = std::fs::read_to_string(path).with_context(name)?;
    }
    revocation::read(&text).with_context(name)
}

fn sign(wanted: &Wanted, key: &OwnerKey) -> Result<Revocation> {
    let Wanted { program, escrow, scope } = *wanted;
    let (program, escrow, revoker) = (program.into(), escrow.into(), key.address().into());
    let unsigned = Revocation { program, escrow, scope, revoker, signature: Base58([0; 64]) };
    let signature = key.sign_bytes(&unsigned.message().signed_bytes())?;
    Ok(Revocation { signature: Base58(signature.into()), ..unsigned })
}

/// Asks the node for what the arguments and the session file leave open: with a session file it
/// need not be asked.
async fn wanted(revoke: &Revoke, chain: &Chain, revoker: &Address) -> Result<Wanted> {
    let file = revoke.target.session.as_deref().map(SessionFile::read).transpose()?;
    let program = match &file {
        Some(file) => file.program.into(),
        None => chain.deployed_program().await?,
    };
    let escrow: Address = match (revoke.escrow, &file) {
        (Some(escrow), _) => escrow.into(),
        (None, Some(file)) => file.escrow.into(),
        (None, None) => own_escrow(chain, &program, revoker, &revoke.sender.owner.mint.into()).await?,
    };
    let scope = match (file, revoke.target.session_key) {
        (Some(file), _) => Scope::Session { session_key: file.session_key, incarnation: file.incarnation },
        (None, Some(session_key)) => {
            let (_, session) = session_under(chain, &program, &escrow, &session_key.into()).await?;
            Scope::Session { session_key, incarnation: Base58(session.incarnation) }
        }
        (None, None) => Scope::All { opened_through_slot: Decimal(chain.slot().await?) },
    };
    Ok(Wanted { program, escrow, scope })
}

async fn own_escrow(chain: &Chain, program: &Address, payer: &Address, mint: &Address) -> Result<Address> {
    let escrow = address::escrow(program, payer, mint);
    chain.escrow(&escrow).await?.ok_or_else(|| {
        Problem::new(Code::EscrowNotFound, format!("{payer} has no escrow of {mint} on this cluster"))
            .of("--mint")
            .remedy("name the token with --mint; a guardian names the escrow with --escrow ADDRESS")
    })?;
    Ok(escrow)
}

/// Sends the revocation that `revoker` consents to, in a transaction that `owner` signs and pays for.
async fn send(owner: &Owner, wanted: &Wanted, revoker: &Address, consent: Consent, json: bool) -> Result<()> {
    let instruction = instruction(&owner.chain, wanted, revoker, consent).await?;
    let carried = owner.carry_out(Plan::new("Revoking", vec![instruction])).await?;
    let Some(sent) = sent_or_shown(carried, json) else { return Ok(()) };
    let mut object = json!({ "state": "revoked" });
    match wanted.scope {
        Scope::Session { session_key, .. } => {
            let session = address::session(&wanted.program, &wanted.escrow, &session_key.into());
            object["session"] = json!(session.to_string());
        }
        Scope::All { opened_through_slot } => object["openedThroughSlot"] = json!(opened_through_slot),
    }
    let mut lines = vec![("revoked", what(wanted.scope, &wanted.escrow))];
    add_sent(&mut object, &mut lines, &sent);
    print(json, &object, &lines);
    Ok(())
}

async fn instruction(
    chain: &Chain,
    wanted: &Wanted,
    revoker: &Address,
    consent: Consent,
) -> Result<Instruction> {
    let Wanted { program, escrow, scope } = wanted;
    match scope {
        Scope::Session { session_key, incarnation } => {
            let (_, session) = session_under(chain, program, escrow, &(*session_key).into()).await?;
            if session.incarnation != incarnation.0 {
                let message = format!("the session of {session_key} was closed and opened again since");
                return Err(Problem::new(Code::IncarnationMismatch, message)
                    .of("--session")
                    .remedy("the old one needs no revocation; name the new one with --session-key")
                    .into());
            }
            Ok(build::revoke_session(program, revoker, &session, consent))
        }
        Scope::All { opened_through_slot } => {
            Ok(build::revoke_sessions(program, revoker, escrow, opened_through_slot.0, consent))
        }
    }
}

/// What is revoked, for people.
fn what(scope: Scope, escrow: &Address) -> String {
    match scope {
        Scope::Session { session_key, .. } => format!("the session of {session_key}"),
        Scope::All { opened_through_slot } => {
            format!("all sessions of {escrow} opened up to slot {}", opened_through_slot.0)
        }
    }
}
