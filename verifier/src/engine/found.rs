//! Looks for what somebody else did with a hold, and records it.

use x402_escrow_domain::{found::found, payment::History};
use x402_escrow_wire::text::{Base58, Hex32};

use super::{app::App, not_accepted::Interrupted};

/// Records what final transactions did with the payment's hold, as far as the verifier does not know it. Returns the payment
/// as it is known then; `None` if there is nothing new.
///
/// # Errors
/// If the node doesn't tell, or the store fails.
pub async fn record(app: &App, history: &History) -> Result<Option<History>, Interrupted> {
    let Some(hold) = history.hold() else { return Ok(None) };
    let logged = app.chain.logged(&hold.address()).await?;
    let found = found(history, &logged);
    if found.is_empty() {
        return Ok(None);
    }
    let payment = Hex32(history.payment.id);
    for found in &found {
        let (kind, signature) = (found.action.kind(), Base58(found.signature));
        tracing::info!(%payment, kind, %signature, "found on chain: somebody else did it");
    }
    app.store.record_found(&history.payment, &found, app.now()).await?;
    app.changes.tell(&history.payment.id);
    Ok(app.store.history(&history.payment.id).await?)
}
