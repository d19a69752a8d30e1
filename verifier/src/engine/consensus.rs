//! Keeps knowing which consensus the cluster runs and which transactions it takes: a cluster migrates, a node starts again
//! with another version, and its address leads to another node.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::sleep;
use x402_escrow_domain::{cluster::Consensus, transaction::Version};

use super::app::App;
use crate::chain::{Chain, facts};

/// How often to ask although no node changed: another behind the same address doesn't show.
const INTERVAL: Duration = Duration::from_secs(30);

/// How long not to ask again: nodes that come and go can't make the verifier ask more often.
const REST: Duration = Duration::from_secs(1);

/// What the cluster's nodes told last.
#[derive(Debug, Default)]
pub struct Told {
    consensus: Mutex<Consensus>,
    takes_version_1: AtomicBool,
}

impl Told {
    /// Which consensus the cluster runs.
    pub fn consensus(&self) -> Consensus {
        *self.consensus.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How transactions are written that carry several operations.
    pub fn transaction_version(&self) -> Version {
        if self.takes_version_1.load(Ordering::Relaxed) { Version::One } else { Version::Legacy }
    }

    /// Asks for both. What was told before holds while no node answers.
    pub async fn ask(&self, chain: &dyn Chain) {
        match chain.consensus().await {
            Ok(told) => {
                let mut known = self.consensus.lock().unwrap_or_else(PoisonError::into_inner);
                if std::mem::replace(&mut *known, told) != told {
                    tracing::info!(consensus = ?told, "the cluster's consensus");
                }
            }
            Err(error) => tracing::debug!(%error, "the nodes don't tell the cluster's consensus"),
        }
        match facts::takes_version_1(chain).await {
            Ok(takes) => {
                if self.takes_version_1.swap(takes, Ordering::Relaxed) != takes {
                    tracing::info!(takes, "whether the cluster takes transactions of version 1");
                }
            }
            Err(error) => {
                tracing::debug!(%error, "the nodes don't tell which transactions the cluster takes")
            }
        }
    }
}

/// Asks now, whenever a node comes back, goes or connects, and again and again.
pub async fn run(app: Arc<App>) -> Infallible {
    loop {
        app.cluster.ask(app.chain.as_ref()).await;
        sleep(REST).await;
        tokio::select! {
            biased;
            () = app.chain.changed() => {}
            () = app.blocks.connected.notified() => {}
            () = sleep(INTERVAL) => {}
        }
    }
}
