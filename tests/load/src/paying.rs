//! The process that pays by the scheme `exact`: so many callers at once, each with its next payment as soon as the last is
//! answered.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use tokio::{
    select,
    task::JoinSet,
    time::{sleep, timeout},
};
use x402_escrow_wire::payment::PaymentRequirements;

use crate::{connection::Connection, lock, measured::Measured, node::Node, told::Told, wallet::Wallets};

/// The part of a benchmark.
pub const ROLE: &str = "pay";

/// How long a facilitator may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often payers ask for a new blockhash: about once a block.
const BLOCKHASH_PAUSE: Duration = Duration::from_millis(400);

/// A run of callers who pay.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Where the facilitator listens: an address and a port.
    pub to: String,
    /// `/settle` or `/verify`.
    pub path: String,
    /// What the merchant asks for.
    pub accepted: PaymentRequirements,
    /// The keys of those who pay.
    pub payers: Vec<[u8; 32]>,
    /// Where a node listens.
    pub node: String,
    /// How many ask at once.
    pub callers: usize,
    /// For how long before anything is measured.
    pub warm_up: Duration,
    /// For how long after that.
    pub measured: Duration,
}

/// The result of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Paid {
    /// What was answered yes while it was measured.
    pub measured: Measured,
    /// How many were answered yes in all.
    pub count: usize,
    /// How many were answered no, with one of the answers.
    pub refused: (usize, Option<String>),
}

/// Asks until the time is over, and waits for all answers.
///
/// # Errors
/// If the facilitator or the node doesn't answer.
pub async fn pay(job: Job) -> Result<Paid> {
    let mut node = Node::connect(&job.node).await?;
    let wallets = Wallets::new(&job.payers, job.accepted.clone(), node.blockhash().await?)?;
    let (wallets, job) = (Arc::new(Mutex::new(wallets)), Arc::new(job));
    let from = Instant::now() + job.warm_up;
    let mut callers = JoinSet::new();
    for _ in 0..job.callers {
        let (job, wallets) = (Arc::clone(&job), Arc::clone(&wallets));
        callers.spawn(async move { ask(&job, &wallets, from).await });
    }
    let mut told = Told::default();
    while !callers.is_empty() {
        select! {
            Some(done) = callers.join_next() => {
                told.add(done.map_err(|error| anyhow!("a caller broke off: {error}"))??);
            }
            () = sleep(BLOCKHASH_PAUSE) => {
                let blockhash = node.blockhash().await?;
                lock(&wallets).blockhash = blockhash;
            }
        }
    }
    Ok(Paid {
        count: told.accepted.len(),
        refused: told.refused(),
        measured: Measured::of(told.answered, job.measured),
    })
}

async fn ask(job: &Job, wallets: &Mutex<Wallets>, from: Instant) -> Result<Told<()>> {
    let measured = from..from + job.measured;
    let mut connection = Connection::open(&job.to).await?;
    let mut told = Told::default();
    while Instant::now() < measured.end {
        let body = lock(wallets).sign()?;
        let asked = Instant::now();
        let answer = timeout(PATIENCE, connection.post(&job.path, body.into()));
        let answer = answer.await.with_context(|| format!("no answer after {PATIENCE:?}"))??;
        told.note((), &answer, asked, &measured);
    }
    Ok(told)
}
