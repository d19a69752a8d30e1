use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use solana_sdk::instruction::Instruction;
use x402_escrow_agent::SessionFile;
use x402_escrow_interface::{
    Address,
    account::{Escrow, Session},
    instruction as build,
};
use x402_escrow_wire::{amount, text::Key};

use super::{list::holds, session_of};
use crate::{
    chain::OpenHold,
    command::{Sender, carry_out_all, escrow::reclaim, print, terminal::time},
    owner::Owner,
    problem::{Code, Exit, Problem},
};

#[derive(Args)]
pub(in crate::command) struct Close {
    #[command(flatten)]
    sender: Sender,
    #[command(flatten)]
    target: Target,
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
    /// Every session of the escrow that can be closed
    #[arg(long)]
    all: bool,
}

/// A session and what has to be done first.
struct Closing {
    address: Address,
    session: Session,
    /// Past their deadline: they are reclaimed.
    late: Vec<OpenHold>,
    /// Not yet past it: they prevent the closing.
    early: Vec<OpenHold>,
}

pub(super) async fn run(close: Close, json: bool) -> Result<Exit> {
    let file = close.target.session.as_deref().map(SessionFile::read).transpose()?;
    let owner = close.sender.connect().await?;
    let (escrow, now) = (owner.escrow().await?, owner.chain.now().await?);
    let key = file.map(|file| file.session_key).or(close.target.session_key);
    let sessions = match key {
        Some(key) => vec![session_of(&owner, &key.into()).await?],
        None => owner.chain.sessions_of(&owner.program, &owner.escrow_address()).await?,
    };
    let mut closings = Vec::new();
    for (address, session) in sessions {
        let holds = holds(&owner, &address, &session).await?;
        let (late, early) = holds.into_iter().partition(|open| now > open.hold.capture_deadline);
        closings.push(Closing { address, session, late, early });
    }
    let (ready, prevented): (Vec<_>, Vec<_>) =
        closings.into_iter().partition(|closing| closing.early.is_empty());
    if let (Some(closing), Some(_)) = (prevented.first(), key) {
        return Err(closing.prevented(&escrow).into());
    }
    let title = if ready.len() == 1 { "Closing the session" } else { "Closing sessions" };
    let instructions: Vec<_> =
        ready.iter().flat_map(|closing| closing.instructions(&owner, &escrow)).collect();
    let Some(transactions) = carry_out_all(&owner, title, &instructions, json).await? else {
        return Ok(Exit::Done);
    };
    tell(&escrow, &ready, &prevented, transactions, json);
    Ok(if prevented.is_empty() { Exit::Done } else { Exit::NotYet })
}

impl Closing {
    fn instructions(&self, owner: &Owner, escrow: &Escrow) -> Vec<Instruction> {
        let close = build::close_session(
            &owner.program,
            &owner.address(),
            &owner.escrow_address(),
            &self.address,
            &self.session.rent_payer,
        );
        let reclaims = self.late.iter().map(|open| reclaim::instruction(owner, escrow, open));
        reclaims.chain([close]).collect()
    }

    /// When the last hold can be reclaimed, unix.
    fn until(&self) -> Option<i64> {
        self.early.iter().map(|open| open.hold.capture_deadline).max()
    }

    fn held(&self) -> u64 {
        self.early.iter().map(|open| open.hold.held()).sum()
    }

    /// Why it can't be closed yet, and until when.
    fn prevented(&self, escrow: &Escrow) -> Problem {
        let tokens = |units| amount::format(units, escrow.decimals);
        let each = self.early.iter().map(|open| {
            let hold = &open.hold;
            format!("{} for {} until {}", tokens(hold.held()), hold.receiver, time(hold.capture_deadline))
        });
        let message = format!(
            "{} open holds keep {} of the session {}: {}",
            self.early.len(),
            tokens(self.held()),
            self.session.session_key,
            each.collect::<Vec<_>>().join("; ")
        );
        let until = self.until().unwrap_or_default();
        let remedy = format!(
            "the merchants capture or release them before; after {} the same command reclaims what is left and closes the \
             session. To stop the agent at once: agent session revoke",
            time(until)
        );
        Problem::new(Code::SessionHasHolds, message).remedy(remedy).details(json!({ "until": until }))
    }

    fn object(&self) -> Value {
        json!({
            "session": self.address.to_string(),
            "sessionKey": self.session.session_key.to_string(),
            "holds": self.early.len(),
            "held": self.held().to_string(),
            "until": self.until(),
        })
    }
}

fn tell(escrow: &Escrow, closed: &[Closing], prevented: &[Closing], transactions: Vec<String>, json: bool) {
    let late = || closed.iter().flat_map(|closing| &closing.late);
    let reclaimed: u64 = late().map(|open| open.hold.held()).sum();
    let addresses: Vec<String> = closed.iter().map(|closing| closing.address.to_string()).collect();
    let object = json!({
        "state": if prevented.is_empty() { "closed" } else { "partly closed" },
        "session": match addresses.as_slice() { [one] => json!(one), _ => Value::Null },
        "closed": addresses,
        "reclaimed": reclaimed.to_string(),
        "prevented": prevented.iter().map(Closing::object).collect::<Vec<_>>(),
        "transactions": transactions,
    });
    let tokens = |units| amount::format(units, escrow.decimals);
    let mut lines: Vec<_> =
        addresses.iter().map(|address| ("session", format!("{address} is closed"))).collect();
    if late().next().is_some() {
        lines.push(("reclaimed", tokens(reclaimed)));
    }
    for closing in prevented {
        let until = closing.until().map(time).unwrap_or_default();
        let held = tokens(closing.held());
        lines.push(("not yet", format!("{}: {held} are held until {until}", closing.session.session_key)));
    }
    lines.extend(transactions.into_iter().map(|transaction| ("transaction", transaction)));
    print(json, &object, &lines);
}
