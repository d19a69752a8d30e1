//! The process that has intents held: so many callers at once, each with its next as soon as the last is answered.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};
use solana_sdk::signer::keypair::Keypair;
use tokio::{task::JoinSet, time::sleep};
use x402_escrow_wire::{payment::PaymentRequirements, text::Hex32};

use crate::{
    connection::Connection,
    lock,
    measured::Measured,
    node::Node,
    payer::{Payer, Payers},
    told::Told,
};

/// The part of a benchmark.
pub const ROLE: &str = "hold";

/// How long a hostile caller rests: it asks about as often as an honest one, whose answers take longer.
const HOSTILE_PAUSE: Duration = Duration::from_secs(1);

/// A run of callers who ask for holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Where the verifier listens: an address and a port.
    pub to: String,
    /// The merchant's requirements.
    pub accepted: PaymentRequirements,
    /// Who pays, the first what hostile callers ask for.
    pub payers: Vec<Payer>,
    /// How many ask at once.
    pub callers: usize,
    /// The hostile ones of them. Each has two intents of one nonce, sends one to the cluster, and asks for the other.
    pub hostile: usize,
    /// Where a node listens, for them.
    pub node: String,
    /// The key that pays for what they send.
    pub relay: [u8; 32],
    /// For how long before anything is measured.
    pub warm_up: Duration,
    /// For how long after that.
    pub measured: Duration,
}

/// The result of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Held {
    /// How many honest callers got a hold while it was measured, and how fast.
    pub measured: Measured,
    /// All payments that are held.
    pub payments: Vec<Hex32>,
    /// How often an honest caller was answered no, with one of the answers.
    pub refused: (usize, Option<String>),
    /// The payers as they are now.
    pub payers: Vec<Payer>,
}

/// Asks until the time is over, and waits for all answers.
///
/// # Errors
/// If the verifier doesn't answer.
pub async fn hold(job: Job) -> Result<Held> {
    let payers = Arc::new(Mutex::new(Payers::new(job.payers.clone(), job.accepted.clone())?));
    let job = Arc::new(job);
    let from = Instant::now() + job.warm_up;
    let mut callers = JoinSet::new();
    for index in 0..job.callers {
        let (job, payers) = (Arc::clone(&job), Arc::clone(&payers));
        callers.spawn(async move {
            match index < job.hostile {
                true => attack(&job, &payers, from).await,
                false => ask(&job, &payers, from).await,
            }
        });
    }
    let mut told = Told::default();
    while let Some(done) = callers.join_next().await {
        told.add(done.map_err(|error| anyhow!("a caller broke off: {error}"))??);
    }
    Ok(Held {
        refused: told.refused(),
        measured: Measured::of(told.answered, job.measured),
        payments: told.accepted,
        payers: lock(&payers).left(),
    })
}

async fn ask(job: &Job, payers: &Mutex<Payers>, from: Instant) -> Result<Told<Hex32>> {
    let measured = from..from + job.measured;
    let mut connection = Connection::open(&job.to).await?;
    let mut told = Told::default();
    while Instant::now() < measured.end {
        let signed = lock(payers).sign();
        let asked = Instant::now();
        let answer = connection.post("/settle", signed.body.into()).await?;
        told.note(signed.payment_id, &answer, asked, &measured);
    }
    Ok(told)
}

async fn attack(job: &Job, payers: &Mutex<Payers>, from: Instant) -> Result<Told<Hex32>> {
    let (mut connection, mut node) = (Connection::open(&job.to).await?, Node::connect(&job.node).await?);
    let relay = Keypair::new_from_array(job.relay);
    while Instant::now() < from + job.measured {
        let [mine, asked_for] = lock(payers).sign_twice();
        let blockhash = node.blockhash().await?;
        // Where it fails the verifier was faster.
        _ = node.authorize(&relay, blockhash, &mine.terms).await;
        connection.post("/settle", asked_for.body.into()).await?;
        sleep(HOSTILE_PAUSE).await;
    }
    Ok(Told::default())
}
