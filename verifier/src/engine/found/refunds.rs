//! Refunds that receivers sent themselves: deposits that name a payment, which nobody has to tell the verifier of. Each
//! receiver is looked at in turn.

use std::{
    collections::{BTreeSet, HashMap},
    convert::Infallible,
    time::Duration,
};

use tokio::time::sleep;
use x402_escrow_domain::{
    found::{Found, found, refunded_payments},
    payment::History,
};
use x402_escrow_interface::{Address, instruction::Signature};

use crate::engine::{app::App, not_accepted::Interrupted};

/// How often receivers are looked at.
const INTERVAL: Duration = Duration::from_secs(60);

/// How many at most each time: one request to the node each.
const RECEIVERS_AT_ONCE: usize = 50;

/// A receiver is looked at for so long after its last payment.
const LOOKED_AT_SECONDS: i64 = 30 * 86_400;

/// Of how many receivers it is remembered what was read last.
const REMEMBERED: usize = 100_000;

/// What a receiver refunded and the verifier does not know.
#[derive(Debug)]
pub struct UnknownRefunds {
    /// The payments, and what was found of each.
    pub payments: Vec<(History, Vec<Found>)>,
    /// The newest of the receiver's transactions.
    pub newest: Option<Signature>,
}

/// Looks for refunds among the newest final transactions that name `receiver`, after `since` if that is one of them.
///
/// # Errors
/// If the node doesn't tell, or the store fails.
pub async fn unknown_refunds(
    app: &App,
    receiver: &Address,
    since: Option<&Signature>,
) -> Result<UnknownRefunds, Interrupted> {
    let logged = app.chain.logged(receiver, since).await?;
    let refunded = logged.iter().flat_map(|one| refunded_payments(&app.rules.program, receiver, one));
    let mut payments = Vec::new();
    for id in refunded.collect::<BTreeSet<_>>() {
        let history = match app.store.history(&id).await {
            Err(error) if error.is_of_row() => continue,
            history => history?,
        };
        if let Some(history) = history {
            let found = found(&history, &logged);
            payments.push((history, found));
        }
    }
    payments.retain(|(_, found)| !found.is_empty());
    Ok(UnknownRefunds { payments, newest: logged.last().map(|logged| logged.signature) })
}

/// Records what [`unknown_refunds`] finds, and returns the newest transaction that was read.
///
/// # Errors
/// If the node doesn't tell, or the store fails.
pub async fn record_refunds(
    app: &App,
    receiver: &Address,
    since: Option<&Signature>,
) -> Result<Option<Signature>, Interrupted> {
    let UnknownRefunds { payments, newest } = unknown_refunds(app, receiver, since).await?;
    for (history, found) in &payments {
        super::store(app, history, found).await?;
    }
    Ok(newest)
}

/// Looks at some receivers again and again, for ever.
pub(super) async fn run(app: &App) -> Infallible {
    let (mut known, mut after) = (HashMap::new(), None);
    loop {
        sleep(INTERVAL).await;
        after = match look(app, &mut known, after.as_ref()).await {
            Ok(last) => last,
            Err(error) => {
                tracing::warn!(%error, "can't look for refunds that receivers sent");
                after
            }
        };
    }
}

/// Looks at the receivers after `after`, and returns the last; `None` once all have had their turn.
async fn look(
    app: &App,
    known: &mut HashMap<Address, Signature>,
    after: Option<&Address>,
) -> Result<Option<Address>, Interrupted> {
    let since = app.now().saturating_sub(LOOKED_AT_SECONDS);
    let receivers = app.store.receivers_after(after, since, RECEIVERS_AT_ONCE).await?;
    for receiver in &receivers {
        // One about which the nodes disagree stops no other.
        let newest = match record_refunds(app, receiver, known.get(receiver)).await {
            Ok(newest) => newest,
            Err(error) => {
                tracing::warn!(%receiver, %error, "can't look for refunds that a receiver sent");
                continue;
            }
        };
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.extend(newest.map(|newest| (*receiver, newest)));
    }
    Ok(receivers.last().copied().filter(|_| receivers.len() == RECEIVERS_AT_ONCE))
}
