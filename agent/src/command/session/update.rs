use anyhow::Result;
use clap::Args;
use x402_escrow_agent::SessionFile;
use x402_escrow_interface::{
    account::{Escrow, Session},
    instruction::{self as build, SessionLimits},
    receivers::{ANYONE, ReceiverList},
};
use x402_escrow_wire::text::Key;

use super::{
    Which,
    limits::{check, expiry},
    list::holds,
    receivers::ReceiverArguments,
    session_of,
    view::View,
};
use crate::{
    command::{Sender, add_sent, print, sent_or_shown, tokens},
    owner::Plan,
    problem::{Code, Problem},
};

#[derive(Args)]
pub(in crate::command) struct Update {
    #[command(flatten)]
    sender: Sender,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    changes: Changes,
}

/// What is not given stays as it is.
#[derive(Args, Clone, Debug, Default)]
struct Changes {
    /// The most that one payment may cost, in tokens (0.50)
    #[arg(long, value_name = "AMOUNT")]
    max_payment: Option<String>,
    /// The most that all payments together may cost, including past ones
    #[arg(long, value_name = "AMOUNT")]
    max_total: Option<String>,
    /// The most that the payments of one period may cost
    #[arg(long, value_name = "AMOUNT", conflicts_with = "no_period")]
    max_per_period: Option<String>,
    /// Length of a period: 1h, 1d
    #[arg(long, value_name = "TIME", conflicts_with = "no_period")]
    period: Option<humantime::Duration>,
    /// Remove the limit per period
    #[arg(long)]
    no_period: bool,
    /// How long the session lasts from now on: 12h, 30d
    #[arg(long, value_name = "TIME")]
    expires: Option<humantime::Duration>,
    #[command(flatten)]
    receivers: ReceiverArguments,
    /// Allow any receiver instead of listed ones
    #[arg(long, conflicts_with_all = ["receiver", "receivers"])]
    anyone: bool,
}

pub(super) async fn run(update: Update, json: bool) -> Result<()> {
    let Update { sender, which, changes } = update;
    let list = changes.receivers.list()?;
    let (key, file) = which.read()?;
    let owner = sender.connect().await?;
    let (escrow, now) = (owner.escrow().await?, owner.chain.now().await?);
    let (address, before) = session_of(&owner, &key).await?;
    check_alive(&escrow, &before, file.as_ref())?;
    let limits = changes.limits(list.as_ref(), &before, escrow.decimals, now)?;
    let instruction =
        build::update_session(&owner.program, &owner.address(), &owner.escrow_address(), &address, &limits);
    let carried = owner.carry_out(Plan::new("Changing the session", vec![instruction])).await?;
    let Some(sent) = sent_or_shown(carried, json) else { return Ok(()) };

    let (_, session) = session_of(&owner, &key).await?;
    let holds = holds(&owner, &address, &session).await?;
    let view = View { address, session: &session, escrow: &escrow, holds: &holds, now };
    let (mut object, mut lines) = (view.object(), view.lines());
    add_sent(&mut object, &mut lines, &sent);
    if let (Some(file), Some(path)) = (file, which.session) {
        let receivers = match &list {
            Some(list) => list.receivers().iter().copied().map(Key::from).collect(),
            None if changes.anyone => Vec::new(),
            None => file.receivers.clone(),
        };
        SessionFile { expires_at: session.expires_at, receivers, ..file }.replace(&path)?;
        let told = format!("{} is updated: hand it to the agent again", path.display());
        lines.push(("session file", told));
    }
    print(json, &object, &lines);
    Ok(())
}

/// Refuses a session that nothing can be changed of any more, and a file of an earlier one.
fn check_alive(escrow: &Escrow, session: &Session, file: Option<&SessionFile>) -> Result<(), Problem> {
    if escrow.has_revoked(session) {
        return Err(Problem::new(Code::Failed, "the session is revoked, for good")
            .named("session_revoked")
            .of("--session")
            .remedy("open another with agent session open"));
    }
    if file.is_some_and(|file| file.incarnation.0 != session.incarnation) {
        return Err(Problem::new(Code::IncarnationMismatch, "the session was closed and opened again since")
            .of("--session")
            .remedy("this session file can't be used any more: name the session with --session-key"));
    }
    Ok(())
}

impl Changes {
    fn limits(
        &self,
        list: Option<&ReceiverList>,
        before: &Session,
        decimals: u8,
        now: i64,
    ) -> Result<SessionLimits, Problem> {
        let amount = |flag, text: &Option<String>, before| {
            text.as_deref().map_or(Ok(before), |text| tokens(flag, text, decimals))
        };
        let (maximum_per_period, period_seconds) = match self.no_period {
            true => (0, 0),
            false => (
                amount("--max-per-period", &self.max_per_period, before.maximum_per_period)?,
                self.period.map_or(before.period_seconds, |period| period.as_secs()),
            ),
        };
        let limits = SessionLimits {
            expires_at: self.expires.map_or(Ok(before.expires_at), |lasts| expiry(lasts.into(), now))?,
            maximum_payment: amount("--max-payment", &self.max_payment, before.maximum_payment)?,
            maximum_total: amount("--max-total", &self.max_total, before.maximum_total)?,
            maximum_per_period,
            period_seconds,
            receivers_root: match list {
                Some(list) => list.root(),
                None if self.anyone => ANYONE,
                None => before.receivers_root,
            },
        };
        check(&limits, now)?;
        if limits == of(before) {
            return Err(Problem::argument("--max-total", "nothing would change")
                .remedy("agent session update --help shows what can be changed"));
        }
        Ok(limits)
    }
}

fn of(session: &Session) -> SessionLimits {
    SessionLimits {
        expires_at: session.expires_at,
        maximum_payment: session.maximum_payment,
        maximum_total: session.maximum_total,
        maximum_per_period: session.maximum_per_period,
        period_seconds: session.period_seconds,
        receivers_root: session.receivers_root,
    }
}

#[cfg(test)]
mod tests {
    use x402_escrow_interface::{Address, replay_window::WINDOW_WORDS};

    use super::*;

    fn session() -> Session {
        let address = Address::default();
        Session {
            version: 1,
            revoked: 0,
            padding: [0; 2],
            open_holds: 0,
            escrow: address,
            session_key: address,
            rent_payer: address,
            receivers_root: [7; 32],
            incarnation: [1; 32],
            opened_slot: 1,
            periods_since: 0,
            first_period: 0,
            expires_at: 1000,
            maximum_payment: 1_000_000,
            maximum_total: 5_000_000,
            maximum_per_period: 2_000_000,
            period_seconds: 60,
            spent: 0,
            period_spent: 0,
            period_index: 0,
            highest_nonce: 0,
            used_nonces: [0; WINDOW_WORDS],
            spare: [0; 64],
        }
    }

    #[test]
    fn what_is_not_given_stays_as_it_is() {
        let before = session();
        let changes = Changes { max_total: Some("9".into()), ..Changes::default() };
        let limits = changes.limits(None, &before, 6, 100).unwrap();
        assert_eq!(limits, SessionLimits { maximum_total: 9_000_000, ..of(&before) });
        let none = Changes { no_period: true, anyone: true, ..Changes::default() };
        let limits = none.limits(None, &before, 6, 100).unwrap();
        let expected =
            SessionLimits { maximum_per_period: 0, period_seconds: 0, receivers_root: ANYONE, ..of(&before) };
        assert_eq!(limits, expected);
    }

    #[test]
    fn an_update_of_nothing_or_of_an_expired_session_says_what_to_do() {
        let error = Changes::default().limits(None, &session(), 6, 100).unwrap_err().to_string();
        assert!(error.contains("nothing would change"), "{error}");
        let changes = Changes { max_total: Some("9".into()), ..Changes::default() };
        let error = changes.limits(None, &session(), 6, 2000).unwrap_err().to_string();
        assert!(error.starts_with("--expires: lies in the past"), "{error}");
    }
}
