//! A blockhash, the tip and prices for everyone, read once for a short time.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};
use x402_escrow_domain::cluster::{Blockhash, Tip};

use super::{Chain, ChainError, agreement::MAXIMUM_SLOTS_APART};

/// For how long what was read is taken: some slots. What is tried again later than that has another blockhash.
const FRESH: Duration = Duration::from_secs(1);

/// By how many blocks what somebody saw before asking can be above the tip that it gets: one every 200 ms, for as long as
/// a tip is taken, and as many again; and it may have asked the node that is furthest.
pub const TIP_MAY_LACK_BLOCKS: u64 = 10 + MAXIMUM_SLOTS_APART;

/// What was read last.
#[derive(Debug, Default)]
pub struct Recent {
    blockhash: Mutex<Option<Answer<Blockhash>>>,
    prices: Mutex<Option<Answer<Vec<u64>>>>,
    tip: Mutex<Option<Answer<Tip>>>,
}

#[derive(Debug)]
struct Answer<T> {
    asked_at: Instant,
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

    /// [`Chain::tip`] of a moment ago: what the caller saw before is at most [`TIP_MAY_LACK_BLOCKS`] above it.
    ///
    /// # Errors
    /// If the node doesn't answer.
    pub async fn tip(&self, chain: &dyn Chain) -> Result<Tip, ChainError> {
        read(&self.tip, chain.tip()).await
    }
}

/// What was asked for at most [`FRESH`] before somebody came is taken, however long the answer took: only so is its age
/// known. A refusal is told to all who waited for it: a silent node keeps nobody waiting longer than two questions.
async fn read<T: Clone>(
    known: &Mutex<Option<Answer<T>>>,
    ask: impl Future<Output = Result<T, ChainError>>,
) -> Result<T, ChainError> {
    let came_by = Instant::now();
    let mut known = known.lock().await;
    if let Some(Answer { asked_at, came_at, told }) = &*known {
        let is_taken = match told {
            Ok(_) => came_by.saturating_duration_since(*asked_at) < FRESH,
            Err(_) => *came_at >= came_by,
        };
        if is_taken {
            return told.clone();
        }
    }
    let asked_at = Instant::now();
    let told = ask.await;
    *known = Some(Answer { asked_at, came_at: Instant::now(), told: told.clone() });
    told
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_as_old_as_its_question() {
        let known = Mutex::new(None);
        let after = async |delay: Duration, answer: u64| {
            let answer = read(&known, async {
                sleep(delay).await;
                Ok(answer)
            });
            answer.await.unwrap()
        };
        assert_eq!(after(FRESH * 2, 1).await, 1);
        assert_eq!(after(FRESH / 2, 2).await, 2, "it has just come, and says what was so two seconds ago");
        assert_eq!(after(Duration::ZERO, 3).await, 2);
        sleep(FRESH / 2).await;
        assert_eq!(after(Duration::ZERO, 4).await, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_an_answer_shares_it_unless_it_began_long_before() {
        let known = Mutex::new(None);
        let after = async |wait: Duration, delay: Duration, answer: u64| {
            sleep(wait).await;
            let answer = read(&known, async {
                sleep(delay).await;
                Ok(answer)
            });
            answer.await.unwrap()
        };
        let answers = tokio::join!(
            after(Duration::ZERO, FRESH * 3, 1),
            after(FRESH / 2, FRESH, 2),
            after(FRESH * 2, FRESH, 3),
            after(FRESH * 2, FRESH, 4),
        );
        assert_eq!(answers, (1, 1, 3, 3));
    }
}
