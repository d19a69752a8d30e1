//! Which consensus the cluster runs, and which transactions it takes, as far as its nodes told.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use x402_escrow_domain::{cluster::Consensus, transaction::Version};

use crate::chain::{Chain, facts};

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
