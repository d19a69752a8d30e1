//! The process that has many things settled: so many at once, each once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::{Result, anyhow, ensure};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::connection::{Connection, is_yes};

/// The part of a benchmark.
pub const ROLE: &str = "settle";

/// What is to be settled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Where the verifier listens: an address and a port.
    pub to: String,
    /// The bodies of the requests.
    pub bodies: Vec<String>,
    /// How many ask at once.
    pub callers: usize,
}

/// Has all of it settled.
///
/// # Errors
/// If one is answered no.
pub async fn settle(job: Job) -> Result<()> {
    let (job, next) = (Arc::new(job), Arc::new(AtomicUsize::new(0)));
    let mut callers = JoinSet::new();
    for _ in 0..job.callers {
        let (job, next) = (Arc::clone(&job), Arc::clone(&next));
        callers.spawn(async move {
            let mut connection = Connection::open(&job.to).await?;
            while let Some(body) = job.bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                let answer = connection.post("/settle", body.clone().into()).await?;
                ensure!(is_yes(&answer), "it was refused: {}", String::from_utf8_lossy(&answer));
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = callers.join_next().await {
        done.map_err(|error| anyhow!("a caller broke off: {error}"))??;
    }
    Ok(())
}
