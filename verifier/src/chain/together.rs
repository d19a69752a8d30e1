//! Reads accounts for all who ask at the same time with one request. Nobody is told what was read before it asked.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, oneshot};
use x402_escrow_domain::cluster::Snapshot;
use x402_escrow_interface::Address;
use x402_escrow_wire::auth_capture::Commitment;

use super::{Chain, ChainError};

/// Most accounts that a node tells at once.
const MOST_ACCOUNTS: usize = 100;

/// How many requests are under way at most; whoever asks meanwhile goes with the next.
const AT_ONCE: usize = 4;

/// A [`Chain`] of which many read accounts.
#[derive(Clone)]
pub struct Together {
    chain: Arc<dyn Chain>,
    processed: Arc<Lane>,
    confirmed: Arc<Lane>,
}

/// Those who ask at one commitment.
struct Lane {
    commitment: Commitment,
    waiting: Mutex<Vec<Asked>>,
    turns: Semaphore,
}

struct Asked {
    addresses: Vec<Address>,
    answer: oneshot::Sender<Result<Vec<Snapshot>, ChainError>>,
}

impl Together {
    /// Asks `chain`.
    pub fn new(chain: Arc<dyn Chain>) -> Self {
        let lane = |commitment| {
            Arc::new(Lane { commitment, waiting: Mutex::default(), turns: Semaphore::new(AT_ONCE) })
        };
        Self { chain, processed: lane(Commitment::Processed), confirmed: lane(Commitment::Confirmed) }
    }

    /// [`Chain::accounts_of_each`] in a processed block.
    ///
    /// # Errors
    /// If the node doesn't answer.
    pub async fn processed(&self, addresses: &[Address]) -> Result<Vec<Snapshot>, ChainError> {
        self.read(&self.processed, addresses).await
    }

    /// [`Chain::accounts_of_each`] in a confirmed block.
    ///
    /// # Errors
    /// If the node doesn't answer.
    pub async fn confirmed(&self, addresses: &[Address]) -> Result<Vec<Snapshot>, ChainError> {
        self.read(&self.confirmed, addresses).await
    }

    async fn read(&self, lane: &Arc<Lane>, addresses: &[Address]) -> Result<Vec<Snapshot>, ChainError> {
        let (answer, answered) = oneshot::channel();
        lane.lock().push(Asked { addresses: addresses.to_vec(), answer });
        // A task of its own: who hangs up must not take those with it that are asked for together.
        let (chain, lane) = (Arc::clone(&self.chain), Arc::clone(lane));
        tokio::spawn(async move { lane.ask(chain.as_ref()).await });
        let broke_off = |_| ChainError::silence("getMultipleAccounts", "the request broke off");
        answered.await.map_err(broke_off).flatten()
    }
}

impl Lane {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Asked>> {
        // Nothing that holds it can panic halfway.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for as many as go together. There is one call for each who asks, so none is left.
    async fn ask(&self, chain: &dyn Chain) {
        let Ok(_turn) = self.turns.acquire().await else { return };
        let (asked, addresses) = take(&mut self.lock());
        if asked.is_empty() {
            return;
        }
        let snapshots = chain.accounts_of_each(&addresses, self.commitment).await;
        for Asked { addresses: own, answer } in asked {
            let own = |snapshot: &Snapshot| {
                let account = |address: &Address| {
                    let index = addresses.binary_search(address).ok()?;
                    snapshot.accounts.get(index).cloned().flatten()
                };
                Snapshot { slot: snapshot.slot, accounts: own.iter().map(account).collect() }
            };
            let told = snapshots.as_ref().map(|each| each.iter().map(own).collect()).map_err(Clone::clone);
            // Who doesn't listen any more has hung up.
            _ = answer.send(told);
        }
    }
}

/// The first who wait, as far as one request takes them, and all their accounts, in order and each once.
fn take(waiting: &mut Vec<Asked>) -> (Vec<Asked>, Vec<Address>) {
    // Who has hung up needs no answer.
    waiting.retain(|asked| !asked.answer.is_closed());
    let mut addresses: Vec<Address> = Vec::new();
    let mut count = 0;
    for asked in waiting.iter() {
        let mut more = addresses.clone();
        more.extend(&asked.addresses);
        more.sort_unstable();
        more.dedup();
        // One that asks for too many is told so by the node.
        if count > 0 && more.len() > MOST_ACCOUNTS {
            break;
        }
        (addresses, count) = (more, count + 1);
    }
    (waiting.drain(..count).collect(), addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Listener = oneshot::Receiver<Result<Vec<Snapshot>, ChainError>>;

    fn asked(bytes: std::ops::Range<u8>) -> (Asked, Listener) {
        let addresses = bytes.map(|byte| Address::new_from_array([byte; 32])).collect();
        let (answer, listener) = oneshot::channel();
        (Asked { addresses, answer }, listener)
    }

    #[test]
    fn as_many_go_together_as_one_request_takes_and_none_is_left_for_ever() {
        let (mut waiting, listeners): (Vec<_>, Vec<_>) =
            [0..60, 50..100, 90..101, 0..2].map(asked).into_iter().unzip();
        let (first, addresses) = take(&mut waiting);
        assert_eq!((first.len(), addresses.len(), waiting.len()), (2, 100, 2));
        assert!(addresses.is_sorted());
        let (second, addresses) = take(&mut waiting);
        assert_eq!((second.len(), addresses.len(), waiting.len()), (2, 13, 0));
        drop(listeners);
        let (alone, listener) = asked(0..120);
        let mut waiting = vec![asked(0..9).0, alone];
        assert_eq!(take(&mut waiting).1.len(), 120, "who has hung up is not asked for");
        drop(listener);
        assert!(take(&mut Vec::new()).0.is_empty());
    }
}
