use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use x402_escrow_domain::cluster::{Blockhash, Consensus, Executed, Logged, Sighting, Snapshot, Tip};
use x402_escrow_interface::{Address, instruction::Signature};
use x402_escrow_wire::auth_capture::Commitment;

use super::Metrics;
use crate::chain::{Chain, ChainError, NodeReport, SendError};

/// A [`Chain`] whose requests are counted and timed.
pub struct Measured {
    chain: Arc<dyn Chain>,
    metrics: Arc<Metrics>,
}

impl Measured {
    /// Counts the requests to `chain`.
    pub fn new(chain: Arc<dyn Chain>, metrics: Arc<Metrics>) -> Self {
        Self { chain, metrics }
    }

    async fn time<T>(
        &self,
        method: &'static str,
        request: impl Future<Output = Result<T, ChainError>>,
    ) -> Result<T, ChainError> {
        let since = Instant::now();
        let answer = request.await;
        self.metrics.count_rpc(method, since, answer.is_ok());
        answer
    }
}

/// A simulation that failed is an answer.
fn is_answer(answer: &Result<(), SendError>) -> bool {
    !matches!(answer, Err(SendError::Unknown(_)))
}

#[async_trait]
impl Chain for Measured {
    async fn genesis_hash(&self) -> Result<String, ChainError> {
        self.time("getGenesisHash", self.chain.genesis_hash()).await
    }

    async fn consensus(&self) -> Result<Consensus, ChainError> {
        self.time("getAgGenesisCert", self.chain.consensus()).await
    }

    async fn changed(&self) {
        self.chain.changed().await;
    }

    async fn accounts(&self, addresses: &[Address], commitment: Commitment) -> Result<Snapshot, ChainError> {
        self.time("getMultipleAccounts", self.chain.accounts(addresses, commitment)).await
    }

    async fn accounts_of_each(
        &self,
        addresses: &[Address],
        commitment: Commitment,
    ) -> Result<Vec<Snapshot>, ChainError> {
        self.time("getMultipleAccounts", self.chain.accounts_of_each(addresses, commitment)).await
    }

    async fn blockhash(&self) -> Result<Blockhash, ChainError> {
        self.time("getLatestBlockhash", self.chain.blockhash()).await
    }

    async fn recent_prices(&self, writable: &[Address]) -> Result<Vec<u64>, ChainError> {
        self.time("getRecentPrioritizationFees", self.chain.recent_prices(writable)).await
    }

    async fn tip(&self) -> Result<Tip, ChainError> {
        self.time("getEpochInfo", self.chain.tip()).await
    }

    async fn send(&self, transaction: &[u8], preflight: bool) -> Result<(), SendError> {
        let since = Instant::now();
        let answer = self.chain.send(transaction, preflight).await;
        self.metrics.count_rpc("sendTransaction", since, is_answer(&answer));
        answer
    }

    async fn simulate(&self, transaction: &[u8]) -> Result<(), SendError> {
        let since = Instant::now();
        let answer = self.chain.simulate(transaction).await;
        self.metrics.count_rpc("simulateTransaction", since, is_answer(&answer));
        answer
    }

    async fn executed(
        &self,
        signature: &Signature,
        commitment: Commitment,
    ) -> Result<Option<Executed>, ChainError> {
        self.time("getTransaction", self.chain.executed(signature, commitment)).await
    }

    async fn logged(&self, address: &Address, since: Option<&Signature>) -> Result<Vec<Logged>, ChainError> {
        self.time("getSignaturesForAddress", self.chain.logged(address, since)).await
    }

    async fn logged_by(&self, signature: &Signature) -> Result<Option<Logged>, ChainError> {
        self.time("getTransaction", self.chain.logged_by(signature)).await
    }

    async fn statuses(
        &self,
        signatures: &[Signature],
        search_history: bool,
        since_slot: u64,
    ) -> Result<Vec<Sighting>, ChainError> {
        self.time("getSignatureStatuses", self.chain.statuses(signatures, search_history, since_slot)).await
    }

    async fn block_hash(&self, slot: u64) -> Result<[u8; 32], ChainError> {
        self.time("getBlock", self.chain.block_hash(slot)).await
    }

    fn needed(&self) -> usize {
        self.chain.needed()
    }

    fn nodes(&self) -> Vec<NodeReport> {
        self.chain.nodes()
    }
}
