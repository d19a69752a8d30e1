use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use x402_escrow_interface::{
    account::{Escrow, Session},
    receivers::{ANYONE, ReceiverList},
};
use x402_escrow_wire::amount;

use super::{
    limits::Written,
    opening::{Common, Opening, taken},
    receivers::ReceiverArguments,
};
use crate::{
    chain::{Sent, lies},
    command::{Sender, add_sent, print, sent_or_shown, terminal::time},
    owner::{Owner, Verifier},
    problem::Problem,
};

#[derive(Args)]
pub(in crate::command) struct Open {
    #[command(flatten)]
    sender: Sender,
    /// Base URL of the verifier that drafts the agent's payments
    #[arg(long, env = "X402_VERIFIER_URL", value_name = "URL")]
    verifier: String,
    /// Don't ask the verifier whether it serves this escrow
    #[arg(long)]
    skip_verifier_check: bool,
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
    #[command(flatten)]
    receivers: ReceiverArguments,
    /// Where to write the session file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) async fn run(open: Open, json: bool) -> Result<()> {
    let list = open.receivers.list()?;
    let folder = open.out.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(Problem::argument("--out", format!("{} is no folder", folder.display()))
            .remedy("make the folder, or name another")
            .into());
    }
    let owner = open.sender.connect().await?;
    let escrow = owner.escrow().await?;
    let written = Written {
        max_payment: open.max_payment,
        max_total: open.max_total,
        max_per_period: open.max_per_period,
        period: open.period.map(Into::into),
        expires: open.expires.into(),
    };
    let root = list.as_ref().map_or(ANYONE, ReceiverList::root);
    let limits = written.read(escrow.decimals, owner.chain.now().await?, root)?;
    let network = owner.chain.network().await?;
    if !open.skip_verifier_check {
        let verifier = Verifier::new(&open.verifier, "--verifier")?;
        verifier.check(&network, &owner.program, &owner.mint).await?;
    }
    let common = Common { owner: &owner, escrow: &escrow, network, verifier: open.verifier };
    let mut opening = Opening::plan(&common, &open.out, limits, list.as_ref())?;
    if opening.is_open() {
        return Err(taken(&open.out).into());
    }
    let Some((session, sent)) = open_or_find(&owner, &mut opening, json).await? else { return Ok(()) };
    opening.complete(&session)?;
    tell(&opening, &session, sent, &escrow, json);
    Ok(())
}

/// Opens the session, unless an earlier transaction did; `None` if the transaction was only shown.
async fn open_or_find(
    owner: &Owner,
    opening: &mut Opening,
    json: bool,
) -> Result<Option<(Session, Option<Sent>)>> {
    let address = opening.address();
    if let Some(session) = owner.chain.session(&address).await? {
        return Ok(Some((session, None)));
    }
    let prepared = owner.prepare(&opening.to_plan(owner)).await?;
    if !owner.manner.dry_run {
        opening.write()?;
    }
    let goes_on = || {
        let path = opening.path.display();
        format!("{path} has the session's key: only the same command can go on with it")
    };
    let carried = owner.finish(prepared).await.with_context(goes_on)?;
    let Some(sent) = sent_or_shown(carried, json) else {
        if owner.manner.dump {
            eprintln!("{}; run it without --dump-transaction once the session is open", goes_on());
        }
        return Ok(None);
    };
    let session = owner.chain.session(&address).await.with_context(goes_on)?;
    let session = session.ok_or_else(|| lies(format!("the node lost the session {address}")));
    Ok(Some((session.with_context(goes_on)?, Some(sent))))
}

fn tell(opening: &Opening, session: &Session, sent: Option<Sent>, escrow: &Escrow, json: bool) {
    let (address, file) = (opening.address(), &opening.file);
    let mut object = json!({
        "session": address.to_string(),
        "sessionKey": file.session_key,
        "escrow": file.escrow,
        "program": file.program,
        "incarnation": file.incarnation,
        "expiresAt": file.expires_at,
        "maximumPayment": session.maximum_payment.to_string(),
        "maximumTotal": session.maximum_total.to_string(),
        "maximumPerPeriod": session.maximum_per_period.to_string(),
        "periodSeconds": session.period_seconds,
        "receivers": file.receivers.len(),
        "file": opening.path,
        "transaction": null,
    });
    let tokens = |units| amount::format(units, escrow.decimals);
    let receivers = match file.receivers.len() {
        0 => "anyone".into(),
        count => format!("{count} listed, without fees"),
    };
    let mut lines = vec![
        ("session", address.to_string()),
        ("per payment", tokens(session.maximum_payment)),
        ("in total", tokens(session.maximum_total)),
    ];
    if session.period_seconds > 0 {
        let length = humantime::format_duration(std::time::Duration::from_secs(session.period_seconds));
        lines.push(("per period", format!("{} per {length}", tokens(session.maximum_per_period))));
    }
    lines.extend([("pays", receivers), ("until", time(file.expires_at))]);
    match sent {
        Some(sent) => add_sent(&mut object, &mut lines, &sent),
        None => lines.push(("transaction", "none: it was open already".into())),
    }
    let path = opening.path.display();
    lines.push(("session file", format!("{path} (secret: hand it to the agent only)")));
    print(json, &object, &lines);
}
