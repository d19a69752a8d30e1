use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use x402_escrow_interface::{Address, account::Session};

use super::{Seen, session_of, view::View};
use crate::{
    chain::OpenHold,
    command::print,
    owner::Owner,
    problem::{Code, Problem},
};

#[derive(Args)]
pub(in crate::command) struct List {
    #[command(flatten)]
    owner: crate::command::Owner,
}

pub(super) async fn run(list: List, json: bool) -> Result<()> {
    let owner = list.owner.connect().await?;
    let (escrow, now) = (owner.escrow().await?, owner.chain.now().await?);
    let sessions = owner.chain.sessions_of(&owner.program, &owner.escrow_address()).await?;
    let mut objects: Vec<Value> = Vec::new();
    for (address, session) in &sessions {
        let holds = holds(&owner, address, session).await?;
        let view = View { address: *address, session, escrow: &escrow, holds: &holds, now };
        if json {
            objects.push(view.object());
            continue;
        }
        print(false, &Value::Null, &view.lines());
        println!();
    }
    if json {
        let object = json!({
            "escrow": owner.escrow_address().to_string(),
            "decimals": escrow.decimals,
            "free": escrow.free().to_string(),
            "sessions": objects,
        });
        print(true, &object, &[]);
    } else if sessions.is_empty() {
        println!("the escrow {} has no sessions: agent session open", owner.escrow_address());
    }
    Ok(())
}

pub(super) async fn show(seen: Seen, json: bool) -> Result<()> {
    let owner = seen.owner.connect().await?;
    let (escrow, now) = (owner.escrow().await?, owner.chain.now().await?);
    let (key, file) = seen.which.read()?;
    let (address, session) = session_of(&owner, &key).await?;
    let holds = holds(&owner, &address, &session).await?;
    let view = View { address, session: &session, escrow: &escrow, holds: &holds, now };
    let (mut object, mut lines) = (view.object(), view.lines());
    if let Some(file) = file {
        if file.incarnation.0 != session.incarnation {
            let message = "the session was closed and opened again since the file was written";
            return Err(Problem::new(Code::IncarnationMismatch, message)
                .of("--session")
                .remedy("this session file can't be used any more: open another session")
                .into());
        }
        // The chain has only the root of the list.
        object["receivers"] = json!(file.receivers);
        lines.extend(file.receivers.iter().map(|receiver| ("receiver", receiver.to_string())));
    }
    print(json, &object, &lines);
    Ok(())
}

/// The holds of a session; the node is not asked where there are none.
pub(super) async fn holds(owner: &Owner, address: &Address, session: &Session) -> Result<Vec<OpenHold>> {
    match session.open_holds {
        0 => Ok(Vec::new()),
        _ => owner.chain.holds_of(&owner.program, address).await,
    }
}
