//! Whether payments can be settled now.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use axum::{Extension, Json, extract::State, http::StatusCode};
use serde::Serialize;
use tokio::time::{Instant, timeout};
use x402_escrow_domain::{cluster::Consensus, facts};
use x402_escrow_wire::auth_capture::Commitment;

use crate::{
    chain::NodeReport,
    engine::{app::App, lead},
};

/// How long the node may take.
const CHAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Answer of `GET /health`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Whether payments can be settled now.
    ready: bool,
    /// Why not.
    pub(crate) reasons: Vec<String>,
    /// Of several verifiers over one store, `leader` follows and sends, and `standby` waits to take over.
    role: &'static str,
    /// Whether nothing new is accepted. It is as ready for what was accepted: captures must reach it.
    paused: bool,
    /// Whether any verifier over the store leads, as far as the store tells.
    has_leader: bool,
    /// Rows of the store that can't be read: each is left alone, and stops nothing else.
    unreadable_rows: usize,
    /// By what the cluster agrees, as far as its nodes tell.
    consensus: Consensus,
    /// The newest slot that the node has seen.
    slot: Option<u64>,
    /// This machine's time less the cluster's.
    slot_age_seconds: Option<i64>,
    /// What the fee payer has.
    fee_payer_lamports: Option<u64>,
    /// How each node is, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<NodeReport>,
}

/// For how long what was found out is told to everybody.
const TOLD: Duration = Duration::from_secs(1);

/// For how long it is told while it is being found out anew.
const TOLD_MEANWHILE: Duration = Duration::from_secs(5);

/// What was found out last: however many ask, it is found out once a second.
#[derive(Debug, Default)]
pub struct Latest {
    examining: tokio::sync::Mutex<()>,
    found: Mutex<Option<(Instant, Health)>>,
}

impl Latest {
    fn younger_than(&self, age: Duration) -> Option<Health> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.as_ref().filter(|(at, _)| at.elapsed() < age).map(|(_, health)| health.clone())
    }

    async fn health(&self, app: &App) -> Health {
        if let Some(health) = self.younger_than(TOLD) {
            return health;
        }
        let _turn = match self.examining.try_lock() {
            Ok(turn) => turn,
            Err(_) => {
                if let Some(health) = self.younger_than(TOLD_MEANWHILE) {
                    return health;
                }
                self.examining.lock().await
            }
        };
        if let Some(health) = self.younger_than(TOLD) {
            return health;
        }
        let health = examine(app).await;
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), health.clone()));
        health
    }
}

/// `GET /health`: status 200 if payments can be settled now, else 503 and why not.
pub async fn health(
    State(app): State<Arc<App>>,
    Extension(latest): Extension<Arc<Latest>>,
) -> (StatusCode, Json<Health>) {
    // In a task of its own: a client that hangs up must not end what others wait for.
    let examined = tokio::spawn(async move { latest.health(&app).await }).await;
    let health = match examined {
        Ok(health) => health,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    };
    let status = if health.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health))
}

/// Looks at everything that settling needs.
pub(crate) async fn examine(app: &App) -> Health {
    let mut health = Health {
        ready: false,
        reasons: Vec::new(),
        role: if app.is_leading.load(Ordering::Relaxed) { "leader" } else { "standby" },
        paused: app.is_paused.load(Ordering::Relaxed),
        has_leader: false,
        unreadable_rows: app.unreadable.count(),
        consensus: app.cluster.consensus(),
        slot: None,
        slot_age_seconds: None,
        fee_payer_lamports: None,
        nodes: app.chain.nodes(),
    };
    if timeout(CHAIN_TIMEOUT, check_chain(app, &mut health)).await.is_err() {
        let seconds = CHAIN_TIMEOUT.as_secs();
        health.reasons.push(format!("the Solana node did not answer within {seconds} seconds"));
    }
    check_store(app, &mut health).await;
    health.ready = health.reasons.is_empty();
    health
}

async fn check_store(app: &App, health: &mut Health) {
    // Whether it can be written to is tried in the background: who asks here waits for no lock.
    if let Err(error) = app.store.check_readable().await {
        tracing::error!(%error, "the store can't be read");
        return health.reasons.push("the database can't be read".to_owned());
    }
    if app.is_unwritable.load(Ordering::Relaxed) {
        health.reasons.push("the database can't be written to; the verifier's log says why".to_owned());
    }
    match app.store.is_led().await {
        Ok(true) => health.has_leader = true,
        Ok(false) => health.reasons.push("no verifier leads: nothing is sent or followed".to_owned()),
        Err(error) => {
            tracing::error!(%error, "the store does not tell who leads");
            health.reasons.push("the database does not tell whether a verifier leads".to_owned());
        }
    }
    if lead::is_stalled(app) {
        let seconds = app.heartbeat.silence().as_secs();
        health.reasons.push(format!(
            "transactions can't be followed, and none were for {seconds} seconds; the verifier's log says why"
        ));
    }
}

async fn check_chain(app: &App, health: &mut Health) {
    let addresses = [facts::CLOCK_ID, app.rules.fee_payer, app.rules.program];
    let snapshot = match app.chain.accounts(&addresses, Commitment::Processed).await {
        Ok(snapshot) => snapshot,
        Err(error) => {
            tracing::warn!(%error, "the node does not answer");
            return health.reasons.push(format!("the Solana node does not answer: {}", error.message));
        }
    };
    health.slot = Some(snapshot.slot);
    let mut accounts = snapshot.accounts.into_iter();
    let mut next = || accounts.next().flatten();

    let age = next().as_ref().and_then(facts::unix_timestamp).map(|time| app.now().saturating_sub(time));
    health.slot_age_seconds = age;
    let maximum = app.settings.maximum_slot_age_seconds;
    match age {
        Some(age) if age <= maximum => {}
        Some(age) => health.reasons.push(format!("the newest block is {age} seconds old, above {maximum}")),
        None => health.reasons.push("the Solana node does not tell the cluster's time".to_owned()),
    }

    let lamports = next().map_or(0, |account| account.lamports);
    health.fee_payer_lamports = Some(lamports);
    let minimum = app.settings.minimum_fee_payer_lamports;
    if lamports < minimum {
        health.reasons.push(format!(
            "the fee payer {} has {lamports} lamports, below {minimum}: send it SOL",
            app.rules.fee_payer
        ));
    }
    if !app.cluster.note_program(next().as_ref()) {
        health.reasons.push(format!(
            "the escrow program {} is not on this cluster: set program_id to its address there, or rpc_url to a node \
             of its cluster",
            app.rules.program
        ));
    }
}
