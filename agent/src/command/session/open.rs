use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use ed25519_dalek::SigningKey;
use rand_core::OsRng;
use serde_json::json;
use x402_escrow_agent::SessionFile;
use x402_escrow_interface::{
    Address, address,
    instruction::{self as build, SessionLimits},
    receivers::{ANYONE, MAXIMUM_RECEIVERS, ReceiverList},
};
use x402_escrow_wire::text::{Base58, Key};

use crate::{amount, command::print};

#[derive(Args)]
pub(in crate::command) struct Open {
    #[command(flatten)]
    owner: crate::command::Owner,
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
    /// A receiver that may be paid, without fees; may be repeated, and others then can't be paid
    #[arg(long, value_name = "ADDRESS")]
    receiver: Vec<Key>,
    /// More of them: a file with one address a line; at most 4,096 in all
    #[arg(long, value_name = "FILE")]
    receivers: Option<PathBuf>,
    /// Where to write the session file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) async fn run(open: Open, json: bool) -> Result<()> {
    let list = receiver_list(&open.receiver, open.receivers.as_deref())?;
    let receivers = list.as_ref().map_or(&[] as &[Address], |list| list.receivers());
    let owner = open.owner.connect().await?;
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
        receivers_root: list.as_ref().map_or(ANYONE, ReceiverList::root),
    };
    let key = SigningKey::generate(&mut OsRng);
    let session_key = Address::from(key.verifying_key().to_bytes());
    let mut file = SessionFile {
        network: owner.chain.network().await?,
        program: owner.program.into(),
        escrow: owner.escrow_address().into(),
        mint: owner.mint.into(),
        decimals: escrow.decimals,
        session_key: session_key.into(),
        incarnation: Base58([0; 32]),
        expires_at: limits.expires_at,
        verifier: open.verifier,
        receivers: receivers.iter().copied().map(Key::from).collect(),
        secret_key: Base58(key.to_bytes()),
    };

    let instruction = build::open_session(
        &owner.program,
        &owner.address(),
        &owner.address(),
        &owner.escrow_address(),
        &session_key,
        &limits,
    );
    let signature = owner.send("Opening the session", &[instruction]).await?.to_string();
    let address = address::session(&owner.program, &owner.escrow_address(), &session_key);
    let session = owner
        .chain
        .session(&address)
        .await?
        .with_context(|| format!("the node lost the session {address}"))?;
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
        "program": file.program,
        "incarnation": file.incarnation,
        "expiresAt": file.expires_at,
        "receivers": file.receivers.len(),
        "file": open.out,
        "transaction": signature,
    });
    let until = UNIX_EPOCH + Duration::from_secs(file.expires_at.unsigned_abs());
    let receivers = match file.receivers.len() {
        0 => "anyone".into(),
        count => format!("{count} listed, without fees"),
    };
    print(
        json,
        &object,
        &[
            ("session", address.to_string()),
            ("per payment", amount::format(limits.maximum_payment, escrow.decimals)),
            ("in total", amount::format(limits.maximum_total, escrow.decimals)),
            ("pays", receivers),
            ("until", humantime::format_rfc3339_seconds(until).to_string()),
            ("transaction", signature),
            ("session file", format!("{} (secret: hand it to the agent only)", open.out.display())),
        ],
    );
    Ok(())
}

/// The receivers that were named, one by one and in a file; `None` if none were.
fn receiver_list(named: &[Key], file: Option<&Path>) -> Result<Option<ReceiverList>> {
    let mut receivers: Vec<Address> = named.iter().copied().map(Into::into).collect();
    if let Some(path) = file {
        let text = fs::read_to_string(path).with_context(|| format!("--receivers: {}", path.display()))?;
        let before = receivers.len();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let key: Key = line
                .trim()
                .parse()
                .map_err(|error| anyhow!("--receivers: {} line {}: {error}", path.display(), index + 1))?;
            receivers.push(key.into());
        }
        if receivers.len() == before {
            bail!("--receivers: {} lists nobody; leave it out to let the agent pay anyone", path.display());
        }
    }
    if receivers.is_empty() {
        return Ok(None);
    }
    let list = ReceiverList::new(receivers);
    list.map(Some).with_context(|| format!("--receivers: a session can list at most {MAXIMUM_RECEIVERS}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u16) -> Key {
        let mut key = [1; 32];
        key[..2].copy_from_slice(&number.to_le_bytes());
        Base58(key)
    }

    #[test]
    fn receivers_come_from_the_command_line_and_a_file_together() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receivers");
        fs::write(&path, format!("{}\n\n  {}  \n", key(2), key(1))).unwrap();
        let list = receiver_list(&[key(3), key(1)], Some(&path)).unwrap().unwrap();
        assert_eq!(list.receivers().len(), 3);
        assert_eq!(receiver_list(&[], None).unwrap(), None);
    }

    #[test]
    fn list_that_is_unreadable_empty_or_too_long_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receivers");
        assert!(receiver_list(&[], Some(&path)).is_err());
        let long = (0..4097).map(|number| key(number).to_string()).collect::<Vec<_>>().join("\n");
        for (text, part) in
            [(format!("{}\nnobody", key(1)), "line 2"), ("\n".into(), "lists nobody"), (long, "at most 4096")]
        {
            fs::write(&path, text).unwrap();
            let error = receiver_list(&[], Some(&path)).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
