use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use x402_escrow_agent::{
    AgentClient, Limits, Lookup, SessionFile, StateFiles,
    journal::{Journal, Purchase},
};
use x402_escrow_wire::amount;

use super::{print, terminal::time};
use crate::problem::{Code, Exit, Problem};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Find a purchase by the key of `agent fetch --key`, or by its payment's id, and ask the verifier about it
    Lookup(Which),
    /// Show all purchases that are still open
    List(Session),
}

#[derive(Args)]
pub(super) struct Which {
    /// The key, or the payment's id
    name: String,
    #[command(flatten)]
    session: Session,
    /// Allow plain HTTP to a verifier on another machine
    #[arg(long)]
    allow_http: bool,
}

#[derive(Args)]
pub(super) struct Session {
    /// The session file from the owner; its purchases are in FILE.journal beside it
    #[arg(long, env = "X402_SESSION", value_name = "FILE")]
    session: PathBuf,
}

pub(super) async fn run(command: Command, json: bool) -> Result<Exit> {
    match command {
        Command::Lookup(which) => lookup(which, json).await,
        Command::List(session) => list(&session, json),
    }
}

async fn lookup(which: Which, json: bool) -> Result<Exit> {
    let session = SessionFile::read(&which.session.session)?;
    let decimals = session.decimals;
    let nothing = Limits { maximum_amount: 0, spending_limit: Some(0), maximum_locked: Some(0) };
    let mut agent = AgentClient::new(session, nothing, StateFiles::beside(&which.session.session))?;
    if which.allow_http {
        agent = agent.allowing_http();
    }
    let found = agent.lookup(&which.name).await?;
    let found = found.ok_or_else(|| {
        Problem::new(Code::NoSuchPurchase, format!("no purchase is called {:?}", which.name))
            .remedy("agent purchase list shows the open ones")
    })?;
    let Lookup { purchase, may_settle_until, verifier_answered } = &found;
    let mut object = object(purchase);
    object["maySettleUntil"] = json!(may_settle_until);
    object["verifierAnswered"] = json!(verifier_answered);
    let mut lines = lines(purchase, decimals);
    if let Some(until) = may_settle_until {
        lines.push(("settles until", time(*until)));
        if !verifier_answered {
            lines.push(("verifier", "did not answer: this is what the journal says".into()));
        }
    }
    print(json, &object, &lines);
    Ok(Exit::Done)
}

fn list(session: &Session, json: bool) -> Result<Exit> {
    let decimals = SessionFile::read(&session.session)?.decimals;
    let journal: Journal = StateFiles::beside(&session.session).journal;
    let unfinished = journal.unfinished()?;
    let objects: Vec<Value> = unfinished.iter().map(object).collect();
    if json {
        print(true, &json!({ "purchases": objects }), &[]);
        return Ok(Exit::Done);
    }
    ensure!(!unfinished.is_empty(), "no purchase is open");
    for purchase in &unfinished {
        print(false, &Value::Null, &lines(purchase, decimals));
        println!();
    }
    Ok(Exit::Done)
}

/// For machines.
fn object(purchase: &Purchase) -> Value {
    json!({
        "purchase": purchase.id,
        "key": purchase.key,
        "state": purchase.state,
        "paymentId": purchase.payment_id(),
        "amount": purchase.signed.amount,
        "payTo": purchase.signed.pay_to,
        "origin": purchase.signed.origin,
        "resourceHash": purchase.signed.resource_hash,
        "at": purchase.signed.at,
        "authorizeBy": purchase.signed.authorize_by,
        "captureDeadline": purchase.signed.capture_deadline,
    })
}

fn lines(purchase: &Purchase, decimals: u8) -> Vec<(&'static str, String)> {
    let signed = &purchase.signed;
    let mut lines = vec![("purchase", purchase.id.clone())];
    lines.extend(purchase.key.clone().map(|key| ("key", key)));
    lines.extend([
        ("state", purchase.state.as_str().to_owned()),
        ("amount", amount::format(signed.amount.0, decimals)),
        ("pays", format!("{} at {}", signed.pay_to, signed.origin)),
        ("signed", time(signed.at)),
    ]);
    lines
}
