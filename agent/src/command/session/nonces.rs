use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use x402_escrow_agent::{SessionFile, nonces::NoncesFile};
use x402_escrow_interface::Address;

use super::session_under;
use crate::{
    command::{Node, print},
    problem::{Code, Problem},
};

pub(super) const ABOUT: &str = "\
Show which nonces a session file used, or set the next one (the agent)

Each payment has a nonce, which the agent counts in FILE.nonces beside the session file. All agents of one session must \
share that file: copies of a session file take the same nonces, and only one payment of each is made.

A session that was used elsewhere, or whose FILE.nonces was lost, recovers by itself if the verifier refuses fewer than \
1,024 nonces as used. If more were used, set the next one: --from-chain reads it off the chain, --next sets yours. \
Make sure that nothing signs with another copy.";

#[derive(Args)]
pub(in crate::command) struct Nonces {
    #[command(flatten)]
    node: Node,
    /// The session's file
    #[arg(long, env = "X402_SESSION", value_name = "FILE")]
    session: PathBuf,
    /// Go on with this nonce, as if all lower ones were used
    #[arg(long, value_name = "N", conflicts_with = "from_chain")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    next: Option<u64>,
    /// Go on after the session's highest nonce on chain
    #[arg(long)]
    from_chain: bool,
}

pub(super) async fn run(arguments: Nonces, json: bool) -> Result<()> {
    let session = SessionFile::read(&arguments.session)?;
    let nonces = NoncesFile::beside(&arguments.session).of(&session);
    let next = match arguments.next {
        None if arguments.from_chain => Some(next_on_chain(arguments.node, &session).await?),
        next => next,
    };
    if let Some(next) = next {
        nonces.restart_at(next)?;
    }
    let summary = nonces.summary()?;
    let outstanding: Vec<_> = summary
        .outstanding
        .iter()
        .map(|(nonce, payment_id, authorize_by)| {
            json!({ "nonce": nonce.to_string(), "paymentId": payment_id, "authorizeBy": authorize_by })
        })
        .collect();
    let object = json!({
        "sessionKey": session.session_key,
        "highestUsed": summary.highest_used.to_string(),
        "highestTaken": summary.highest_taken.to_string(),
        "outstanding": outstanding,
    });
    print(
        json,
        &object,
        &[
            ("highest used", summary.highest_used.to_string()),
            ("highest taken", summary.highest_taken.to_string()),
            ("outstanding", format!("{} signed, and not known to be held", outstanding.len())),
        ],
    );
    Ok(())
}

async fn next_on_chain(node: Node, file: &SessionFile) -> Result<u64> {
    let chain = node.connect()?;
    let network = chain.network().await?;
    if network != file.network {
        let message = format!("the session is on {}, and the node on {network}", file.network);
        return Err(Problem::new(Code::WrongCluster, message)
            .of("--rpc-url")
            .remedy("name a node of the session's cluster with --rpc-url")
            .into());
    }
    let (program, escrow): (Address, Address) = (file.program.into(), file.escrow.into());
    let session_key = file.session_key.into();
    let (_, session) = session_under(&chain, &program, &escrow, &session_key).await?;
    if session.incarnation != file.incarnation.0 {
        return Err(Problem::new(Code::IncarnationMismatch, "the session was closed and opened again since")
            .of("--session")
            .remedy("this session file can't be used any more: ask the owner for another")
            .into());
    }
    session.highest_nonce.checked_add(1).context("the session's nonces are used up: open another session")
}
