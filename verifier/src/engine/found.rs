//! Looks for what others did with payments, and records it.

mod ended;
mod refunds;

use std::{convert::Infallible, sync::Arc};

use x402_escrow_domain::{
    found::{self, Found},
    payment::{History, Terms},
};
use x402_escrow_wire::text::{Base58, Hex32};

use super::{app::App, not_accepted::Interrupted};
use crate::{chain::facts, store::StoreError};

pub use refunds::{UnknownRefunds, record_refunds, unknown_refunds};

/// Looks for ever.
pub async fn run(app: Arc<App>) -> Infallible {
    tokio::select! {
        biased;
        never = ended::run(&app) => match never {},
        never = refunds::run(&app) => match never {},
    }
}

/// Records what final transactions did with the payment, as far as the verifier does not know it. Returns the payment
/// as it is known then; `None` if there is nothing new.
///
/// # Errors
/// If the node doesn't tell, or the store fails.
pub async fn record(app: &App, history: &History) -> Result<Option<History>, Interrupted> {
    let address = match &history.payment.terms {
        Terms::Hold(hold) => hold.address(),
        // It has no account of its own.
        Terms::Charge(charge) => charge.session(),
        Terms::Transfer(_) => return Ok(None),
    };
    let logged = app.chain.logged(&address, None).await?;
    let found = found::found(history, &logged);
    if found.is_empty() {
        return Ok(None);
    }
    store(app, history, &found).await?;
    Ok(app.store.history(&history.payment.id).await?)
}

/// Looks whether somebody else charged the payment. Returns it as it is known then, `None` if there is nothing new; and
/// whether it is too late for any other charge, by `authorize_by` (unix seconds).
///
/// # Errors
/// If the node doesn't tell, or the store fails.
pub async fn record_charge(
    app: &App,
    history: &History,
    authorize_by: i64,
) -> Result<(Option<History>, bool), Interrupted> {
    // Read first: what charged it in time is in a block below the one that is too late.
    let is_too_late = facts::final_time(app.chain.as_ref()).await? > authorize_by;
    Ok((record(app, history).await?, is_too_late))
}

/// Records what was found.
///
/// # Errors
/// If the store fails.
pub async fn store(app: &App, history: &History, found: &[Found]) -> Result<(), StoreError> {
    let payment = Hex32(history.payment.id);
    for found in found {
        let (kind, signature) = (found.action.kind(), Base58(found.signature));
        tracing::info!(%payment, kind, %signature, "found on chain: somebody else did it");
    }
    app.store.record_found(&history.payment, found, app.now()).await?;
    app.changes.tell(&history.payment.id);
    Ok(())
}
