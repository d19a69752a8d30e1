//! A blockhash and prices for everyone, read once for a short time.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};
use x402_escrow_domain::cluster::Blockhash;

use super::{Chain, ChainError};

/// For how long what was read is taken: some slots. What is tried again later than that has another blockhash.
const FRESH: Duration = Duration::from_secs(1);

/// What was read last.
#[derive(Debug, Default)]
pub struct Recent {
    blockhash: Mutex<Option<(Instant, Blockhash)>>,
    prices: Mutex<Option<(Instant, Vec<u64>)>>,
}

impl Recent {
    /// [`Chain::blockhash`] of a moment ago.
    ///
    /// # Errors
    /// If the node doesn't answer.
    pub async fn blockhash(&self, chain: &dyn Chain) -> Result<Blockhash, ChainError> {
        // Who comes while it is being read waits for it.
        let mut known = self.blockhash.lock().await;
        if let Some((read_at, blockhash)) = *known
            && read_at.elapsed() < FRESH
        {
            return Ok(blockhash);
        }
        let read_at = Instant::now();
        let blockhash = chain.blockhash().await?;
        *known = Some((read_at, blockhash));
        Ok(blockhash)
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
        let mut known = self.prices.lock().await;
        if let Some((read_at, prices)) = &*known
            && read_at.elapsed() < FRESH
        {
            return Ok(prices.clone());
        }
        let read_at = Instant::now();
        let prices = chain.recent_prices(&[]).await?;
        *known = Some((read_at, prices.clone()));
        Ok(prices)
    }
}
