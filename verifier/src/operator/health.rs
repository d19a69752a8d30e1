//! Whether payments can be settled now.

use std::sync::{Arc, atomic::Ordering};

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use x402_escrow_domain::facts;
use x402_escrow_wire::auth_capture::Commitment;

use crate::{chain::NodeReport, engine::app::App};

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

/// `GET /health`: status 200 if payments can be settled now, else 503 and why not.
pub async fn health(State(app): State<Arc<App>>) -> (StatusCode, Json<Health>) {
    let health = examine(&app).await;
    let status = if health.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health))
}

/// Looks at everything that settling needs.
pub(crate) async fn examine(app: &App) -> Health {
    let mut health = Health {
        ready: false,
        reasons: Vec::new(),
        role: if app.is_leading.load(Ordering::Relaxed) { "leader" } else { "standby" },
        slot: None,
        slot_age_seconds: None,
        fee_payer_lamports: None,
        nodes: app.chain.nodes(),
    };
    check_chain(app, &mut health).await;
    if let Err(error) = app.store.check_writable().await {
        tracing::error!(%error, "the store can't be written to");
        health.reasons.push("the database can't be written to".to_owned());
    }
    if app.is_stalled.load(Ordering::Relaxed) {
        health.reasons.push("transactions can't be followed; the verifier's log says why".to_owned());
    }
    health.ready = health.reasons.is_empty();
    health
}

async fn check_chain(app: &App, health: &mut Health) {
    let addresses = [facts::CLOCK_ID, app.rules.fee_payer];
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
}
