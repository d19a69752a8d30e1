//! The process that has intents held and captured through several verifiers over one database, any of which may fall
//! silent: as behind a proxy that asks another one then.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use x402_escrow_wire::{
    payment::PaymentRequirements,
    text::{Hex32, Key},
};

use crate::{
    lock,
    measured::Measured,
    merchant::Merchant,
    payer::{Payer, Payers},
    proxy::Proxy,
    unix_milliseconds,
};

/// The part of a benchmark.
pub const ROLE: &str = "spread";

/// A run of callers who ask for holds in turn of each verifier, and have every second one captured at once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Where the verifiers listen: an address and a port each.
    pub to: Vec<String>,
    /// The merchant's requirements.
    pub accepted: PaymentRequirements,
    /// The merchant's key.
    pub merchant: [u8; 32],
    /// Who pays, the first nothing.
    pub payers: Vec<Payer>,
    /// How many ask at once.
    pub callers: usize,
    /// For how long before anything is measured.
    pub warm_up: Duration,
    /// For how long after that.
    pub measured: Duration,
    /// For how long they go on then.
    pub rest: Duration,
}

/// The result of a run: all that was asked for was answered yes in the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spread {
    /// How many holds were answered yes while it was measured, and how fast.
    pub measured: Measured,
    /// Everything that was answered yes.
    pub settled: Vec<Settled>,
    /// The payers as they are now.
    pub payers: Vec<Payer>,
}

/// A payment whose hold was answered yes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settled {
    /// Its id.
    pub payment_id: Hex32,
    /// Its hold.
    pub hold: Key,
    /// Whether its capture was asked for, and answered yes.
    pub is_captured: bool,
    /// Which verifier said yes to the hold, by its place among them.
    pub by: usize,
    /// When it was asked for the first time, in milliseconds since 1970.
    pub asked_at: u64,
    /// When the yes came, in the same.
    pub held_at: u64,
}

/// Asks until the time is over, and waits until all is answered yes.
///
/// # Errors
/// If a right request is refused, or not answered yes for minutes.
pub async fn spread(job: Job) -> Result<Spread> {
    let payers = Arc::new(Mutex::new(Payers::new(job.payers.clone(), job.accepted.clone())?));
    let job = Arc::new(job);
    let from = Instant::now() + job.warm_up;
    let mut callers = JoinSet::new();
    for index in 0..job.callers {
        let (job, payers) = (Arc::clone(&job), Arc::clone(&payers));
        callers.spawn(async move { ask(&job, &payers, index, from).await });
    }
    let (mut settled, mut answered) = (Vec::new(), Vec::new());
    while let Some(done) = callers.join_next().await {
        let done = done.map_err(|error| anyhow!("a caller broke off: {error}"))??;
        settled.extend(done.settled);
        answered.extend(done.answered);
    }
    Ok(Spread { measured: Measured::of(answered, job.measured), settled, payers: lock(&payers).left() })
}

#[derive(Default)]
struct Done {
    settled: Vec<Settled>,
    /// How long each yes took that came while it was measured.
    answered: Vec<Duration>,
}

async fn ask(job: &Job, payers: &Mutex<Payers>, index: usize, from: Instant) -> Result<Done> {
    let merchant = Merchant::new(job.merchant, job.accepted.clone());
    let mut proxy = Proxy::of(&job.to);
    let measured = from..from + job.measured;
    let mut done = Done::default();
    while Instant::now() < measured.end + job.rest {
        let signed = lock(payers).sign();
        // Neighbours begin with different verifiers, and each goes on to the next.
        let first = index + done.settled.len();
        let (asked, asked_at) = (Instant::now(), unix_milliseconds());
        let by = proxy.ask_until_yes(first, signed.body).await?;
        let (now, held_at) = (Instant::now(), unix_milliseconds());
        if measured.contains(&now) {
            done.answered.push(now - asked);
        }
        let is_captured = done.settled.len() % 2 == 0;
        if is_captured {
            proxy.ask_until_yes(first, merchant.capture(signed.payment_id, false)?).await?;
        }
        let (payment_id, hold) = (signed.payment_id, signed.terms.address().into());
        done.settled.push(Settled { payment_id, hold, is_captured, by, asked_at, held_at });
    }
    Ok(done)
}
