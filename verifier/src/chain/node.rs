//! A node among several: whether it is relied on, and why not.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};
use x402_escrow_domain::facts::{CLOCK_ID, unix_timestamp};
use x402_escrow_wire::auth_capture::Commitment;

use super::{
    Chain, ChainError,
    agreement::{self, Probe, disagree},
};

/// How long a node may take to say how it is.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a node that contradicted the others is left out, whatever it says of itself.
const QUARANTINE: Duration = Duration::from_secs(60);

/// How many requests a node may miss within [`MISSES_WINDOW`]: more than a restarted connection or a pause costs.
const MAXIMUM_MISSES: u32 = 2;

/// For how long a miss is held against a node.
const MISSES_WINDOW: Duration = Duration::from_secs(10);

/// A node, and what is known of it.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) chain: Arc<dyn Chain>,
    /// Told whenever a node is left out or well again.
    changed: Arc<Notify>,
    health: Mutex<Health>,
}

#[derive(Clone, Debug, Default)]
struct Health {
    /// What is wrong with it, if anything.
    wrong: Option<String>,
    /// How many requests it did not answer, or not in time, since the first of them.
    misses: u32,
    /// When that was.
    first_missed: Option<Instant>,
    /// Whether it missed a request and has answered none since.
    is_suspect: bool,
    /// When it may be believed again after it contradicted the others.
    quarantined_until: Option<Instant>,
}

/// How a node is, for whoever runs the service.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeReport {
    /// Its host; the rest of the URL may be a secret.
    pub node: String,
    /// What is wrong with it; absent if it is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrong: Option<String>,
}

impl Node {
    /// A node that is taken to be well. The name is for reports.
    pub(super) fn new(name: String, chain: Arc<dyn Chain>, changed: Arc<Notify>) -> Self {
        Self { name, chain, changed, health: Mutex::default() }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is wrong with it, if anything.
    pub(super) fn wrong(&self) -> Option<String> {
        self.health().wrong.clone()
    }

    /// Whether its answer is waited for when enough others have answered.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.health().is_suspect
    }

    /// It answered in time.
    pub(super) fn answered(&self) {
        self.health().is_suspect = false;
    }

    /// It failed at a request: a miss, unless it answered that it can't say.
    pub(super) fn failed(&self, error: &ChainError) {
        if !error.is_answer {
            self.missed(&error.message);
        }
    }

    /// It did not answer a request, or not in time. Until it does, it is asked and not waited for; after too many
    /// it is left out until it is found well.
    pub(super) fn missed(&self, why: &str) {
        let misses = {
            let mut health = self.health();
            health.is_suspect = true;
            if health.first_missed.is_none_or(|first| first.elapsed() > MISSES_WINDOW) {
                (health.misses, health.first_missed) = (0, Some(Instant::now()));
            }
            health.misses = health.misses.saturating_add(1);
            health.misses
        };
        tracing::debug!(node = self.name, misses, "missed a request: {why}");
        if misses > MAXIMUM_MISSES {
            let seconds = MISSES_WINDOW.as_secs();
            self.found(Some(format!("failed {misses} times within {seconds} seconds: {why}")));
        }
    }

    /// Leaves the node out for some time: it says of itself that it is well.
    pub(super) fn quarantine(&self, request: &'static str) {
        self.health().quarantined_until = Some(Instant::now() + QUARANTINE);
        self.found(Some(format!("contradicted the others at {request}")));
    }

    fn found(&self, wrong: Option<String>) {
        let mut health = self.health();
        match (&health.wrong, &wrong) {
            (None, Some(wrong)) => tracing::warn!(node = self.name, "left out: it {wrong}"),
            (Some(_), None) => tracing::info!(node = self.name, "well again"),
            _ => {}
        }
        if health.wrong.is_some() != wrong.is_some() {
            self.changed.notify_one();
        }
        if wrong.is_none() {
            health.is_suspect = false;
            // Left out, it was asked nothing; it starts anew.
            if health.wrong.is_some() {
                health.misses = 0;
                health.first_missed = None;
            }
        }
        health.wrong = wrong;
    }
}

/// Asks each node how it is, and judges them by what all said.
pub(super) async fn probe(nodes: &[Node]) {
    let answers = join_all(nodes.iter().map(|node| async {
        match timeout(PROBE_TIMEOUT, ask_how_it_is(node.chain.as_ref())).await {
            Ok(answer) => answer.map_err(|error| error.message),
            Err(_) => Err("it did not answer in time".to_owned()),
        }
    }))
    .await;
    for (node, wrong) in nodes.iter().zip(agreement::judge(&answers)) {
        let is_quarantined = node.health().quarantined_until.is_some_and(|until| Instant::now() < until);
        if wrong.is_some() || !is_quarantined {
            node.found(wrong);
        }
    }
}

async fn ask_how_it_is(chain: &dyn Chain) -> Result<Probe, ChainError> {
    let genesis_hash = chain.genesis_hash().await?;
    let snapshot = chain.accounts(&[CLOCK_ID], Commitment::Processed).await?;
    let clock = snapshot.accounts.into_iter().next().flatten();
    let now = clock.as_ref().and_then(unix_timestamp).ok_or_else(|| disagree("getMultipleAccounts"))?;
    Ok(Probe { genesis_hash, slot: snapshot.slot, now })
}
