//! Compares the payments that ended with what their last transactions logged: somebody else may have captured more before.

use std::{
    collections::{BTreeSet, HashMap},
    convert::Infallible,
};

use futures_util::{StreamExt, stream};
use tokio::time::sleep;
use x402_escrow_domain::{
    cluster::Logged,
    found::{ended_by, is_as_logged},
    payment::History,
};
use x402_escrow_interface::instruction::Signature;
use x402_escrow_wire::text::{Base58, Hex32};

use crate::{
    chain::ChainError,
    engine::{app::App, not_accepted::Interrupted},
};

/// How many payments are compared in one step.
const COMPARED_TOGETHER: u32 = 256;

/// How many transactions are read at once.
const READ_AT_ONCE: usize = 8;

/// What became of reading each transaction.
type Read = HashMap<Signature, Result<Option<Logged>, ChainError>>;

/// Compares what has ended, again and again, for ever.
pub(super) async fn run(app: &App) -> Infallible {
    loop {
        sleep(app.settings.review_interval).await;
        if let Err(error) = compare_all(app).await {
            tracing::warn!(%error, "can't compare payments that ended with the chain");
        }
    }
}

/// Compares each payment that waits for it once. Those of which the node doesn't tell wait for the next time.
async fn compare_all(app: &App) -> Result<(), Interrupted> {
    let mut after: Option<String> = None;
    loop {
        let (ended, last) = app.store.to_compare(after.as_deref(), COMPARED_TOGETHER).await?;
        let Some(last) = last else { return Ok(()) };
        after = Some(last);
        let ended = app.unreadable.note("comparison", ended);
        let signatures: BTreeSet<Signature> = ended.iter().filter_map(ended_by).collect();
        let read: Read = stream::iter(signatures)
            .map(|signature| async move { (signature, app.chain.logged_by(&signature).await) })
            .buffered(READ_AT_ONCE)
            .collect()
            .await;
        let mut compared = Vec::new();
        for history in &ended {
            match compare(app, history, &read).await {
                Ok(()) => compared.push(history.payment.id),
                // One about which the nodes disagree stops no other.
                Err(error) => {
                    let payment = Hex32(history.payment.id);
                    tracing::debug!(%payment, %error, "can't be compared with the chain yet");
                }
            }
        }
        if !compared.is_empty() {
            app.store.set_compared(&compared).await?;
        }
    }
}

async fn compare(app: &App, history: &History, read: &Read) -> Result<(), Interrupted> {
    // Where nothing of the verifier's did it, somebody else's was found, and so was what came before.
    let Some(signature) = ended_by(history) else { return Ok(()) };
    match read.get(&signature) {
        Some(Err(error)) => return Err(error.clone().into()),
        Some(Ok(Some(logged))) if is_as_logged(history, logged) => return Ok(()),
        // Nodes forget old transactions, and cut long logs.
        Some(Ok(_)) | None => {}
    }
    if super::record(app, history).await?.is_none() {
        let (payment, signature) = (Hex32(history.payment.id), Base58(signature));
        tracing::info!(%payment, %signature, "its logs don't say what was captured, and no others do");
    }
    Ok(())
}
