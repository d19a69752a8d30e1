use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use ed25519_dalek::SigningKey;
use rand_core::OsRng;
use serde_json::json;
use x402_escrow_agent::SessionFile;
use x402_escrow_interface::{
    Address,
    account::Session,
    address,
    instruction::{self as build, SessionLimits},
    receivers::{ANYONE, MAXIMUM_RECEIVERS, ReceiverList},
};
use x402_escrow_wire::{
    amount,
    clock::unix_now,
    text::{Base58, Key},
};

use crate::{
    command::{print, terminal::time},
    owner::Owner,
};

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
    let folder = open.out.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        bail!("--out: {} is no folder; nothing was opened", folder.display());
    }
    let escrow = owner.escrow().await?;
    let parse = |text: &str| amount::parse(text, escrow.decimals);
    let limits = SessionLimits {
        expires_at: i64::try_from(open.expires.as_secs())
            .ok()
            .and_then(|seconds| unix_now().checked_add(seconds))
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
    let planned = SessionFile {
        network: owner.chain.network().await?,
        program: owner.program.into(),
        escrow: owner.escrow_address().into(),
        mint: owner.mint.into(),
        decimals: escrow.decimals,
        session_key: Base58(key.verifying_key().to_bytes()),
        incarnation: Base58([0; 32]),
        expires_at: limits.expires_at,
        verifier: open.verifier,
        receivers: receivers.iter().copied().map(Key::from).collect(),
        secret_key: Base58(key.to_bytes()),
    };
    let mut file = write_or_go_on(planned, &open.out)?;
    let (session, signature) =
        open_or_find(&owner, &file.session_key.into(), &limits).await.with_context(|| {
            let path = open.out.display();
            format!("{path} has the session's key: the same command goes on with it, and nothing else can")
        })?;
    if session.receivers_root != limits.receivers_root {
        bail!(
            "the session is open with other receivers: close it with agent session close, and name another file"
        );
    }
    (file.incarnation, file.expires_at) = (Base58(session.incarnation), session.expires_at);
    file.replace(&open.out)?;
    let address = address::session(&owner.program, &owner.escrow_address(), &file.session_key.into());

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
    let signature = signature.unwrap_or_else(|| "none: it was open already".into());
    let receivers = match file.receivers.len() {
        0 => "anyone".into(),
        count => format!("{count} listed, without fees"),
    };
    print(
        json,
        &object,
        &[
            ("session", address.to_string()),
            ("per payment", amount::format(session.maximum_payment, escrow.decimals)),
            ("in total", amount::format(session.maximum_total, escrow.decimals)),
            ("pays", receivers),
            ("until", time(file.expires_at)),
            ("transaction", signature),
            ("session file", format!("{} (secret: hand it to the agent only)", open.out.display())),
        ],
    );
    Ok(())
}

/// Has the key on disk before the session is opened: the planned file, or one of the same session that an earlier try
/// left and that was not seen open.
fn write_or_go_on(planned: SessionFile, path: &Path) -> Result<SessionFile> {
    if !path.exists() {
        planned.create(path)?;
        return Ok(planned);
    }
    let found = SessionFile::read_unopened(path)?;
    let pinned = |file: &SessionFile| {
        let SessionFile { network, program, escrow, mint, receivers, verifier, .. } = file.clone();
        (network, program, escrow, mint, receivers, verifier)
    };
    if found.is_open() || pinned(&found) != pinned(&planned) {
        bail!("{} exists and may hold the only copy of a key: name another file", path.display());
    }
    Ok(found)
}

/// Opens the session of a key, unless an earlier transaction did.
async fn open_or_find(
    owner: &Owner,
    session_key: &Address,
    limits: &SessionLimits,
) -> Result<(Session, Option<String>)> {
    let (program, escrow) = (&owner.program, &owner.escrow_address());
    let address = address::session(program, escrow, session_key);
    if let Some(session) = owner.chain.session(&address).await? {
        return Ok((session, None));
    }
    let instruction =
        build::open_session(program, &owner.address(), &owner.address(), escrow, session_key, limits);
    let signature = owner.send("Opening the session", &[instruction]).await?;
    let session = owner.chain.session(&address).await?;
    let session = session.with_context(|| format!("the node lost the session {address}"))?;
    Ok((session, Some(signature.to_string())))
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
