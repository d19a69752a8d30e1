//! What nodes told of the cluster: its consensus, which transactions it takes, and whether it has the escrow program.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use x402_escrow_domain::{
    cluster::{Account, Consensus},
    facts::is_program,
};

use crate::chain::{Chain, facts};

/// For how long a program that was there must be missing at every look before that is believed. A single answer can come from
/// a node that has just started, or from another node behind the same address.
const BELIEVED_AFTER: Duration = Duration::from_secs(5);

/// What the cluster's nodes told last.
#[derive(Debug, Default)]
pub struct Told {
    consensus: Mutex<Consensus>,
    takes_version_1: AtomicBool,
    program: Mutex<Presence>,
}

/// Whether something is there, as looks at it tell.
#[derive(Debug, Default)]
struct Presence {
    was_found: bool,
    missing_since: Option<Instant>,
    is_missing: bool,
}

impl Presence {
    fn note(&mut self, is_found: bool) {
        if is_found {
            *self = Self { was_found: true, missing_since: None, is_missing: false };
            return;
        }
        let since = *self.missing_since.get_or_insert_with(Instant::now);
        self.is_missing = !self.was_found || since.elapsed() >= BELIEVED_AFTER;
    }
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

    /// Whether the escrow program is not on the cluster: it never was there, or was missing for a while.
    pub fn lacks_program(&self) -> bool {
        self.program().is_missing
    }

    /// Notes whether the escrow program is on the cluster, going by its account there, and returns it.
    pub fn note_program(&self, account: Option<&Account>) -> bool {
        let is_found = is_program(account);
        self.program().note(is_found);
        is_found
    }

    fn program(&self) -> MutexGuard<'_, Presence> {
        self.program.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for consensus and transactions. What was told before holds while nodes don't answer or disagree.
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

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_program_that_was_there_is_missing_only_after_a_while() {
        let mut presence = Presence::default();
        presence.note(true);
        for is_found in [false, true, false] {
            presence.note(is_found);
            assert!(!presence.is_missing);
            advance(BELIEVED_AFTER / 2).await;
        }
        presence.note(false);
        assert!(!presence.is_missing, "missing for half of the time");
        advance(BELIEVED_AFTER / 2).await;
        assert!(!presence.is_missing, "nobody looked since");
        presence.note(false);
        assert!(presence.is_missing);
        presence.note(true);
        assert!(!presence.is_missing);
    }

    #[test]
    fn a_program_that_was_never_there_is_missing_at_once() {
        let told = Told::default();
        assert!(!told.lacks_program(), "nobody looked yet");
        told.note_program(None);
        assert!(told.lacks_program());
    }
}
