//! What the verifier's holds are compared with: the same authorizations one to a transaction, straight to the node. A relay
//! that does so packs nothing, and keeps nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, ensure};
use serde::{Deserialize, Serialize};
use solana_sdk::signer::keypair::Keypair;
use tokio::{task::JoinSet, time::sleep};
use x402_escrow_wire::payment::PaymentRequirements;

use crate::{
    lock,
    measured::Measured,
    node::Node,
    payer::{Payer, Payers},
};

/// The part of a benchmark.
pub const ROLE: &str = "relay";

/// How many send at the same time.
const SENDERS: usize = 16;
/// How many may be under way, as many as a verifier's callers.
const UNDER_WAY: usize = 256;
/// As many as a node tells at once.
const STATUSES: usize = 256;
/// How long a transaction may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is to be sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Where the node listens: an address and a port.
    pub node: String,
    /// The key that pays.
    pub relay: [u8; 32],
    /// What the merchant asks for.
    pub accepted: PaymentRequirements,
    /// Who pays, the first nothing.
    pub payers: Vec<Payer>,
    /// For how long before anything is measured.
    pub warm_up: Duration,
    /// For how long after that.
    pub measured: Duration,
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Relayed {
    /// What was confirmed while it was measured.
    pub measured: Measured,
    /// The payers as they are now.
    pub payers: Vec<Payer>,
}

struct Shared {
    payers: Mutex<Payers>,
    under_way: Mutex<HashMap<String, Instant>>,
    blockhash: Mutex<[u8; 32]>,
    relay: Keypair,
}

/// Sends until the time is over, and follows all until they are confirmed.
///
/// # Errors
/// If the node doesn't take them, or one is in no block.
pub async fn relay(job: Job) -> Result<Relayed> {
    let mut node = Node::connect(&job.node).await?;
    let shared = Arc::new(Shared {
        payers: Mutex::new(Payers::new(job.payers, job.accepted)?),
        under_way: Mutex::default(),
        blockhash: Mutex::new(node.blockhash().await?),
        relay: Keypair::new_from_array(job.relay),
    });
    let from = Instant::now() + job.warm_up;
    let until = from + job.measured;
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (shared, to) = (Arc::clone(&shared), job.node.clone());
        senders.spawn(async move { send(&shared, &to, until).await });
    }
    let mut durations = Vec::new();
    loop {
        sleep(Duration::from_millis(100)).await;
        *lock(&shared.blockhash) = node.blockhash().await?;
        let asked: Vec<_> = lock(&shared.under_way).keys().cloned().collect();
        for asked in asked.chunks(STATUSES) {
            for (signature, confirmed) in asked.iter().zip(node.confirmed(asked).await?) {
                let Some(succeeded) = confirmed else { continue };
                ensure!(succeeded, "an authorization failed: {signature}");
                let (sent, now) = (lock(&shared.under_way).remove(signature), Instant::now());
                durations.extend(sent.filter(|_| now >= from && now < until).map(|sent| now - sent));
            }
        }
        let is_over = Instant::now() >= until && senders.is_empty();
        while let Some(done) = senders.try_join_next() {
            done.map_err(|error| anyhow!("a sender broke off: {error}"))??;
        }
        let left = lock(&shared.under_way).len();
        if is_over && left == 0 {
            break;
        }
        ensure!(Instant::now() < until + PATIENCE, "{left} authorizations are in no block");
    }
    let payers = lock(&shared.payers).left();
    Ok(Relayed { measured: Measured::of(durations, job.measured), payers })
}

async fn send(shared: &Shared, to: &str, until: Instant) -> Result<()> {
    let mut node = Node::connect(to).await?;
    while Instant::now() < until {
        if lock(&shared.under_way).len() >= UNDER_WAY {
            sleep(Duration::from_millis(5)).await;
            continue;
        }
        let (signed, blockhash) = (lock(&shared.payers).sign(), *lock(&shared.blockhash));
        let signature = node.authorize(&shared.relay, blockhash, &signed.terms).await?;
        lock(&shared.under_way).insert(signature, Instant::now());
    }
    Ok(())
}
