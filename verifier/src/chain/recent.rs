//! A blockhash, the tip and prices for everyone, read once for a short time.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};
use x402_escrow_domain::cluster::{Blockhash, Tip};

use super::{Chain, ChainError};

/// For how long what was read is taken: some slots. What is tried again later than that has another blockhash.
const FRESH: Duration = Duration::from_secs(1);

/// By how many blocks the cluster can be above a tip that is taken: one every 200 ms at most, and as many again.
pub const TIP_MAY_LACK_BLOCKS: u64 = 10;

/// What was read last.
#[derive(Debug, Default)]
pub struct Recent {
    blockhash: Mutex<Option<Answer<Blockhash>>>,
    prices: Mutex<Option<Answer<Vec<u64>>>>,
    tip: Mutex<Option<Answer<Tip>>>,
}

#[derive(Debug)]
struct Answer<T> {
    came_at: Instant,
    told: Result<T, ChainError>,
}

impl Recent {
    /// [`Chain::blockhash`] of a moment ago.
    ///
    /// # Errors
    /// If the node doesn't answer.
    pub async fn blockhash(&self, chain: &dyn Chain) -> Result<Blockhash, ChainError> {
        read(&self.blockhash, chain.blockhash()).await
    }

    /// The node does not know it.
    pub async fn forget_blockhash(&self) {
        *self.blockhash.lock().await = None;
    }

    /// [`Chain::recent_prices`] of a moment ago, of blocks whatever is written to.
    ///
    /// # Errors
    /// If the node doesn't answer.
    pub async fn prices(&self, chain: &dyn Chain) -> Result<Vec<u64>, ChainError> {
        read(&self.prices, chain.recent_prices(&[])).await
    }

    /// [`Chain::tip`] of a moment ago: the cluster may be [`TIP_MAY_LACK_BLOCKS`] above it.
    ///
    /// # Errors
    /// If the node doesn't answer.
    pub async fn tip(&self, chain: &dyn Chain) -> Result<Tip, ChainError> {
        read(&self.tip, chain.tip()).await
    }
}

/// Whoever comes while it is being read waits for that answer, and takes it whatever it is: a silent node keeps nobody
/// waiting longer than one question.
async fn read<T: Clone>(
    known: &Mutex<Option<Answer<T>>>,
    ask: impl Future<Output = Result<T, ChainError>>,
) -> Result<T, ChainError> {
    let asked_at = Instant::now();
    let mut known = known.lock().await;
    if let Some(Answer { came_at, told }) = &*known
        && (*came_at >= asked_at || told.is_ok() && came_at.elapsed() < FRESH)
    {
        return told.clone();
    }
    let told = ask.await;
    *known = Some(Answer { came_at: Instant::now(), told: told.clone() });
    told
}
