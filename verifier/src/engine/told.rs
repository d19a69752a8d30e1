//! What nodes told of the cluster: its consensus, which transactions it takes, and whether it has the escrow program.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use x402_escrow_domain::{
    cluster::{Account, Consensus},
    facts::is_program,
};

use crate::chain::{Chain, facts};

/// What the cluster's nodes told last.
#[derive(Debug, Default)]
pub struct Told {
    consensus: Mutex<Consensus>,
    takes_version_1: AtomicBool,
    lacks_program: AtomicBool,
}

impl Told {
    /// Which consensus the cluster runs.
    pub fn consensus(&self) -> Consensus {
        *self.consensus.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the cluster takes transactions of version 1.
    pub fn takes_version_1(&self) -> bool {
        self.takes_version_1.load(Ordering::Relaxed)
    }

    /// Whether the escrow program was not on the cluster when that was last looked at.
    pub fn lacks_program(&self) -> bool {
        self.lacks_program.load(Ordering::Relaxed)
    }

    /// Notes whether the escrow program is on the cluster, going by its account there, and returns it.
    pub fn note_program(&self, account: Option<&Account>) -> bool {
        let is_found = is_program(account);
        self.lacks_program.store(!is_found, Ordering::Relaxed);
        is_found
    }

    /// Asks for consensus and transactions. What was told before holds while no node answers.
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
