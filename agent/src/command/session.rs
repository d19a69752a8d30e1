use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use ed25519_dalek::SigningKey;
use rand_core::OsRng;
use serde_json::json;
use x402_escrow_agent::SessionFile;
use x402_escrow_interface::{
    Address, ID, address,
    instruction::{self as build, SessionLimits},
};
use x402_escrow_wire::text::{Base58, Key};

use super::print;
use crate::amount;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a key for an agent and give it limits; the file that comes out is all that the agent needs
    Open(Open),
    /// Stop a session at once; what is held stays held
    Revoke(Which),
    /// Close a session without open holds, and get its rent back
    Close(Which),
}

#[derive(Args)]
pub(super) struct Open {
    #[command(flatten)]
    owner: super::Owner,
    /// Base URL of the verifier that drafts the agent's payments
    #[arg(long, env = "X402_VERIFIER_URL", value_name = "URL")]
    verifier: String,
    /// The most that one payment may cost, in tokens (0.50)
    #[arg(long, value_name = "AMOUNT")]
    max_payment: String,
    /// The most that all payments together may cost
    #[arg(long, value_name = "AMOUNT")]
    max_total: String,
    /// The most that the payments of one period may cost
    #[arg(long, value_name = "AMOUNT", requires = "period")]
    max_per_period: Option<String>,
    /// Length of a period: 1h, 1d
    #[arg(long, value_name = "TIME", requires = "max_per_period")]
    period: Option<humantime::Duration>,
    /// How long the session lasts: 12h, 30d
    #[arg(long, value_name = "TIME", default_value = "30d")]
    expires: humantime::Duration,
    /// The only receiver that may be paid, and without fees; any if not given
    #[arg(long, value_name = "ADDRESS")]
    receiver: Option<Key>,
    /// Where to write the session file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
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
        Command::Open(open) => self::open(open, json).await,
        Command::Revoke(which) => end(which, json, false).await,
        Command::Close(which) => end(which, json, true).await,
    }
}

async fn open(open: Open, json: bool) -> Result<()> {
    let owner = open.owner.connect()?;
    if open.out.exists() {
        bail!("{} exists and may hold the only copy of a key: name another file", open.out.display());
    }
    let folder = open.out.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        bail!("--out: {} is no folder; nothing was opened", folder.display());
    }
    let escrow = owner.escrow().await?;
    let parse = |text: &str| amount::parse(text, escrow.decimals);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let limits = SessionLimits {
        expires_at: i64::try_from(now.saturating_add(open.expires.as_secs()))
            .context("--expires is too far off")?,
        maximum_payment: parse(&open.max_payment).context("--max-payment")?,
        maximum_total: parse(&open.max_total).context("--max-total")?,
        maximum_per_period: open
            .max_per_period
            .as_deref()
            .map_or(Ok(0), parse)
            .context("--max-per-period")?,
        period_seconds: open.period.map_or(0, |period| period.as_secs()),
        receiver: open.receiver.map_or_else(Address::default, Address::from),
    };
    let key = SigningKey::generate(&mut OsRng);
    let session_key = Address::from(key.verifying_key().to_bytes());
    let mut file = SessionFile {
        network: owner.network().await?,
        program: ID.into(),
        escrow: owner.escrow_address().into(),
        mint: owner.mint.into(),
        decimals: escrow.decimals,
        session_key: session_key.into(),
        incarnation: Base58([0; 32]),
        expires_at: limits.expires_at,
        verifier: open.verifier,
        secret_key: Base58(key.to_bytes()),
    };

    let instruction = build::open_session(
        &owner.address(),
        &owner.address(),
        &owner.escrow_address(),
        &session_key,
        &limits,
    );
    let signature = owner.send("Opening the session", &[instruction]).await?;
    let address = address::session(&owner.escrow_address(), &session_key);
    let session =
        owner.session(&address).await?.with_context(|| format!("the node lost the session {address}"))?;
    file.incarnation = Base58(session.incarnation);
    file.create(&open.out).with_context(|| {
        format!(
            "the session is open and its key is lost; get the rent back with agent session close --session-key \
             {session_key}, then try again"
        )
    })?;

    let object = json!({
        "session": address.to_string(),
        "sessionKey": file.session_key,
        "escrow": file.escrow,
        "incarnation": file.incarnation,
        "expiresAt": file.expires_at,
        "file": open.out,
        "transaction": signature.to_string(),
    });
    let until = UNIX_EPOCH + std::time::Duration::from_secs(file.expires_at.unsigned_abs());
    print(
        json,
        &object,
        &[
            ("session", address.to_string()),
            ("per payment", amount::format(limits.maximum_payment, escrow.decimals)),
            ("in total", amount::format(limits.maximum_total, escrow.decimals)),
            ("until", humantime::format_rfc3339_seconds(until).to_string()),
            ("transaction", signature.to_string()),
            ("session file", format!("{} (secret: hand it to the agent only)", open.out.display())),
        ],
    );
    Ok(())
}

async fn end(which: Which, json: bool, close: bool) -> Result<()> {
    let owner = which.owner.connect()?;
    let session_key: Address = match (which.session, which.session_key) {
        (Some(path), _) => SessionFile::read(&path)?.session_key.into(),
        (None, Some(key)) => key.into(),
        (None, None) => bail!("name the session with --session or --session-key"),
    };
    let escrow = owner.escrow_address();
    let address = address::session(&escrow, &session_key);
    let Some(session) = owner.session(&address).await? else {
        bail!("there is no session of {session_key} under the escrow {escrow}");
    };
    let signature = if close {
        let instruction = build::close_session(&owner.address(), &escrow, &address, &session.rent_payer);
        owner.send("Closing the session", &[instruction]).await?
    } else {
        let instruction = build::revoke_session(&owner.address(), &escrow, &address);
        owner.send("Revoking the session", &[instruction]).await?
    };
    let state = if close { "closed" } else { "revoked" };
    let object =
        json!({ "session": address.to_string(), "state": state, "transaction": signature.to_string() });
    print(
        json,
        &object,
        &[("session", format!("{address} is {state}")), ("transaction", signature.to_string())],
    );
    Ok(())
}
