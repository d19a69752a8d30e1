use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use x402_escrow_interface::{
    account::Session,
    receivers::{ANYONE, ReceiverList},
};
use x402_escrow_wire::text::Key;

use super::{
    limits::Written,
    opening::{Common, Opening},
    receivers,
};
use crate::{
    command::{Sender, print},
    owner::{Carried, Owner, Plan, Verifier, costs},
    problem::{Code, Problem},
};

pub(super) const ABOUT: &str = "\
Open many sessions, listed in a CSV or JSON file

The file has one session per line, or one object each in a JSON array, named like the flags of agent session open: \
name, max-payment, max-total, and optionally max-per-period, period, expires and receivers (addresses separated by \
spaces). The session file is NAME.json in the folder.

Everything is checked before anything is sent. If it stops halfway, run it again: open sessions are left as they are. \
As many sessions as fit go into one transaction.";

const FLAG: &str = "--file";

/// How long a session lasts where its row doesn't say.
const LASTS: &str = "30d";

#[derive(Args)]
pub(in crate::command) struct OpenMany {
    #[command(flatten)]
    sender: Sender,
    /// Base URL of the verifier that drafts the agents' payments
    #[arg(long, env = "X402_VERIFIER_URL", value_name = "URL")]
    verifier: String,
    /// Don't ask the verifier whether it serves this escrow
    #[arg(long)]
    skip_verifier_check: bool,
    /// The sessions: a .csv or .json file
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Where to write the session files
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// A session, as the file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Row {
    name: String,
    max_payment: String,
    max_total: String,
    #[serde(default)]
    max_per_period: Option<String>,
    #[serde(default)]
    period: Option<String>,
    #[serde(default)]
    expires: Option<String>,
    #[serde(default)]
    receivers: Option<String>,
}

pub(super) async fn run(arguments: OpenMany, json: bool) -> Result<()> {
    let rows = read(&arguments.file)?;
    if !arguments.out.is_dir() {
        return Err(Problem::argument("--out", format!("{} is no folder", arguments.out.display()))
            .remedy("make the folder, or name another")
            .into());
    }
    let owner = arguments.sender.connect().await?;
    if owner.manner.dump {
        return Err(Problem::argument("--dump-transaction", "prints one transaction")
            .remedy("open sessions for a multisig one by one, with agent session open --dump-transaction")
            .into());
    }
    let escrow = owner.escrow().await?;
    let (now, network) = (owner.chain.now().await?, owner.chain.network().await?);
    if !arguments.skip_verifier_check {
        let verifier = Verifier::new(&arguments.verifier, "--verifier")?;
        verifier.check(&network, &owner.program, &owner.mint).await?;
    }
    let common = Common { owner: &owner, escrow: &escrow, network, verifier: arguments.verifier };
    let mut openings = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let opening = row.opening(&common, &arguments.out, now);
        openings.push(opening.with_context(|| place(&arguments.file, index, &row.name))?);
    }
    let total = openings.len();
    openings.retain(|opening| !opening.is_open());
    let were_open = total - openings.len();
    complete(&owner, &mut openings).await?;
    let found = total - were_open - openings.len();

    check(&owner, &openings).await?;
    if owner.manner.dry_run {
        return Ok(());
    }
    for opening in &mut openings {
        opening.write()?;
    }
    let mut transactions = Vec::new();
    while !openings.is_empty() {
        let (plan, fit) = next(&owner, &openings);
        let goes_on = || {
            let opened = total - openings.len();
            format!("{opened} of {total} sessions are open; the same command opens the others")
        };
        let carried = owner.carry_out(plan).await.with_context(goes_on)?;
        if let Carried::Sent(sent) = carried {
            transactions.push(sent.signature.to_string());
        }
        let mut sent: Vec<Opening> = openings.drain(..fit).collect();
        complete(&owner, &mut sent).await?;
        if !sent.is_empty() {
            return Err(crate::chain::lies("the node lost sessions that it confirmed").into());
        }
        eprintln!("{} of {total} sessions are open", total - openings.len());
    }
    let object = json!({
        "opened": total - were_open - found,
        "openBefore": were_open + found,
        "folder": arguments.out,
        "files": rows.iter().map(|row| format!("{}.json", row.name)).collect::<Value>(),
        "transactions": transactions,
    });
    let lines = [
        ("opened", format!("{} by {} transactions", total - were_open - found, transactions.len())),
        ("open before", (were_open + found).to_string()),
        ("session files", format!("{} (secret: hand each to its agent only)", arguments.out.display())),
    ];
    print(json, &object, &lines);
    Ok(())
}

/// Completes the files of those whose sessions are on chain, and leaves the others.
async fn complete(owner: &Owner, openings: &mut Vec<Opening>) -> Result<()> {
    let addresses: Vec<_> = openings.iter().map(Opening::address).collect();
    let sessions = owner.chain.sessions_at(&addresses).await?;
    let mut missing = Vec::new();
    for (mut opening, session) in openings.drain(..).zip(sessions) {
        match session {
            Some(session) => opening.complete(&session)?,
            None => missing.push(opening),
        }
    }
    *openings = missing;
    Ok(())
}

/// The next transaction, and how many of the sessions it opens.
fn next(owner: &Owner, openings: &[Opening]) -> (Plan, usize) {
    let instructions = openings.iter().map(|opening| opening.instruction(owner));
    let bytes = Some(Session::ACCOUNT_BYTES);
    Plan::filled("Opening sessions", instructions, bytes, &owner.fee_payer().address())
}

/// Has the node try every transaction, and checks that the SOL suffices for all.
async fn check(owner: &Owner, openings: &[Opening]) -> Result<()> {
    let (mut rest, mut rent, mut fee, mut count) = (openings, 0, 0, 0);
    while !rest.is_empty() {
        let (plan, fit) = next(owner, rest);
        let prepared = owner.prepare(&plan).await?;
        (rent, fee, count) = (rent + prepared.rent, fee + prepared.fee, count + 1);
        rest = &rest[fit..];
    }
    owner.check_sol(rent, fee).await?;
    eprintln!("{} sessions by {count} transactions: {}", openings.len(), costs(rent, fee));
    Ok(())
}

impl Row {
    fn opening(&self, common: &Common<'_>, folder: &Path, now: i64) -> Result<Opening> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let lasts = |flag, text: &str| {
            humantime::parse_duration(text.trim()).map_err(|error| {
                Problem::argument(flag, format!("{text:?}: {error}")).remedy("write it as 1h or 30d")
            })
        };
        let written = Written {
            max_payment: self.max_payment.trim().into(),
            max_total: self.max_total.trim().into(),
            max_per_period: given(&self.max_per_period),
            period: given(&self.period).map(|text| lasts("period", &text)).transpose()?,
            expires: lasts("expires", &given(&self.expires).unwrap_or_else(|| LASTS.into()))?,
        };
        let listed = self.receivers.as_deref().unwrap_or_default().split_whitespace().map(|text| {
            let key = text.parse::<Key>();
            key.map(Into::into).map_err(|error| {
                Problem::argument("receivers", format!("{text}: {error}"))
                    .remedy("separate addresses by spaces")
            })
        });
        let list = receivers::list(listed.collect::<Result<_, Problem>>()?)?;
        let root = list.as_ref().map_or(ANYONE, ReceiverList::root);
        let limits = written.read(common.escrow.decimals, now, root)?;
        Opening::plan(common, &folder.join(format!("{}.json", self.name)), limits, list.as_ref())
    }
}

/// Where a row is, for people.
fn place(file: &Path, index: usize, name: &str) -> String {
    format!("{} session {} ({name})", file.display(), index + 1)
}

/// The rows of the file, which have names of their own.
fn read(file: &Path) -> Result<Vec<Row>> {
    let bad = |reason: String| {
        Problem::new(Code::File, format!("{}: {reason}", file.display()))
            .of(FLAG)
            .remedy("agent session open-many --help shows the file's form")
    };
    let text = fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
    let is_json = file.extension().is_some_and(|extension| extension == "json");
    let rows: Vec<Row> = match is_json {
        true => serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?,
        false => csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes())
            .into_deserialize()
            .collect::<Result<_, _>>()
            .map_err(|error| bad(error.to_string()))?,
    };
    if rows.is_empty() {
        return Err(bad("lists no session".into()).into());
    }
    let mut names = HashSet::new();
    for (index, row) in rows.iter().enumerate() {
        let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        if row.name.is_empty() || row.name.starts_with('.') || !row.name.chars().all(is_plain) {
            let message = format!(
                "{}: a name has letters, digits, and - _ . between them",
                place(file, index, &row.name)
            );
            return Err(bad(message).into());
        }
        if !names.insert(row.name.to_ascii_lowercase()) {
            return Err(bad(format!("{}: the name is taken", place(file, index, &row.name))).into());
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(name: &str, text: &str) -> Result<Vec<Row>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn a_csv_and_a_json_file_say_the_same() {
        let csv = "name,max-payment,max-total,period,max-per-period\na, 0.5,10,,\nb,1,2,1h,1.5\n";
        let json = r#"[{ "name": "a", "max-payment": "0.5", "max-total": "10" },
            { "name": "b", "max-payment": "1", "max-total": "2", "period": "1h", "max-per-period": "1.5" }]"#;
        for (name, text) in [("s.csv", csv), ("s.json", json)] {
            let rows = read_text(name, text).unwrap();
            let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
            assert_eq!(names, ["a", "b"]);
            assert_eq!(
                (rows[0].max_payment.as_str(), rows[1].max_per_period.as_deref()),
                ("0.5", Some("1.5"))
            );
        }
    }

    #[test]
    fn a_file_with_bad_names_or_columns_is_refused_with_the_place() {
        let head = "name,max-payment,max-total";
        for (text, part) in [
            (format!("{head}\na,1,1\nA,1,1\n"), "session 2 (A): the name is taken"),
            (format!("{head}\n../a,1,1\n"), "session 1 (../a)"),
            (format!("{head}\na,1\n"), "line: 2"),
            (format!("{head},max-paymnt\na,1,1,1\n"), "max-paymnt"),
            (format!("{head}\n"), "lists no session"),
        ] {
            let error = read_text("s.csv", &text).unwrap_err().to_string();
            assert!(error.starts_with("--file: ") && error.contains(part), "{error}");
        }
    }
}
