//! What nodes answer.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use rand::Rng;
use solana_sdk::transaction::{TransactionError, VersionedTransaction};
use x402_escrow_domain::cluster::{
    Account, Blockhash, Consensus, Executed, Logged, Sighting, Snapshot, Status, Tip,
};
use x402_escrow_interface::{Address, instruction::Signature};
use x402_escrow_verifier::chain::{Chain, ChainError, SendError};
use x402_escrow_wire::auth_capture::Commitment;

use super::{Cluster, Landed, Trouble, blocks::BLOCKHASH_BLOCKS};

/// One node.
#[derive(Clone)]
pub struct Node {
    pub(super) cluster: Arc<Cluster>,
    index: usize,
}

impl Node {
    /// The node with this index.
    pub fn new(cluster: Arc<Cluster>, index: usize) -> Self {
        Self { cluster, index }
    }

    /// The call arrives after a while, or fails.
    async fn reach(&self, request: &'static str) -> Result<(), ChainError> {
        let (latency, fails) = {
            let state = &mut *self.cluster.lock();
            let slow = state.weather.failure > 0.0 && state.dice.random_bool(0.01);
            let latency = state.dice.random_range(if slow { 500..3000 } else { 2..40 });
            let fails = state.dice.random_bool(state.weather.failure);
            (Duration::from_millis(latency), fails)
        };
        tokio::time::sleep(latency).await;
        let state = &mut *self.cluster.lock();
        if fails || state.weather.outage(self.cluster.time.elapsed()) == Some(Trouble::Silence) {
            state.counts.failed_calls += 1;
            return Err(failed(request, "it did not answer"));
        }
        Ok(())
    }

    fn height(&self, commitment: Commitment) -> u64 {
        let [processed, confirmed, finalized] = self.cluster.lock().heights(self.index);
        match commitment {
            Commitment::Processed => processed,
            Commitment::Confirmed => confirmed,
            Commitment::Finalized => finalized.max(super::blocks::FIRST_HEIGHT),
        }
    }

    fn simulate_at(
        &self,
        transaction: VersionedTransaction,
        commitment: Commitment,
        signed: bool,
    ) -> Result<(), SendError> {
        let height = self.height(commitment);
        let simulated = self.cluster.lock().blocks.simulate(transaction, height, signed);
        simulated.map_err(SendError::Simulation)
    }
}

fn failed(request: &'static str, message: &str) -> ChainError {
    ChainError::silence(request, message)
}

fn logged(landed: &Landed) -> Logged {
    Logged { signature: landed.signature, slot: landed.slot, logs: landed.logs.clone() }
}

#[async_trait]
impl Chain for Node {
    async fn genesis_hash(&self) -> Result<String, ChainError> {
        self.reach("getGenesisHash").await?;
        Ok(crate::setup::GENESIS_HASH.to_owned())
    }

    async fn consensus(&self) -> Result<Consensus, ChainError> {
        self.reach("getAgGenesisCert").await?;
        Ok(self.cluster.lock().weather.consensus)
    }

    async fn accounts(&self, addresses: &[Address], commitment: Commitment) -> Result<Snapshot, ChainError> {
        self.reach("getMultipleAccounts").await?;
        let height = self.height(commitment);
        let state = self.cluster.lock();
        let account = |address| {
            let account = state.blocks.account(address, height)?;
            Some(Account { owner: account.owner, data: account.data, lamports: account.lamports })
        };
        let slot = state.blocks.at(height).slot;
        Ok(Snapshot { slot, accounts: addresses.iter().map(account).collect() })
    }

    async fn blockhash(&self) -> Result<Blockhash, ChainError> {
        self.reach("getLatestBlockhash").await?;
        let height = self.height(Commitment::Confirmed);
        let hash = self.cluster.lock().blocks.at(height).hash;
        Ok(Blockhash { hash, last_valid_block_height: height + BLOCKHASH_BLOCKS })
    }

    async fn recent_prices(&self, _writable: &[Address]) -> Result<Vec<u64>, ChainError> {
        self.reach("getRecentPrioritizationFees").await?;
        Ok(vec![0; 150])
    }

    async fn tip(&self) -> Result<Tip, ChainError> {
        self.reach("getEpochInfo").await?;
        let block_height = self.height(Commitment::Confirmed);
        let slot = self.cluster.lock().blocks.at(block_height).slot;
        Ok(Tip { slot, block_height })
    }

    async fn send(&self, bytes: &[u8], preflight: bool) -> Result<(), SendError> {
        self.reach("sendTransaction").await?;
        let unread = |_| failed("sendTransaction", "it is no transaction");
        let transaction: VersionedTransaction = bincode::deserialize(bytes).map_err(unread)?;
        if preflight {
            let height = self.height(Commitment::Processed);
            {
                let state = self.cluster.lock();
                let signature: Signature = transaction.signatures[0].into();
                if state.blocks.find(&signature, height).is_some() {
                    return Err(SendError::Simulation(TransactionError::AlreadyProcessed));
                }
                if !state.blocks.is_valid(&transaction, height + 1) {
                    return Err(SendError::Simulation(TransactionError::BlockhashNotFound));
                }
            }
            self.simulate_at(transaction.clone(), Commitment::Processed, true)?;
        }
        self.cluster.lock().submit(transaction);
        Ok(())
    }

    async fn simulate(&self, bytes: &[u8]) -> Result<(), SendError> {
        self.reach("simulateTransaction").await?;
        let unread = |_| failed("simulateTransaction", "it is no transaction");
        let transaction: VersionedTransaction = bincode::deserialize(bytes).map_err(unread)?;
        self.simulate_at(transaction, Commitment::Confirmed, false)
    }

    async fn executed(
        &self,
        signature: &Signature,
        commitment: Commitment,
    ) -> Result<Option<Executed>, ChainError> {
        self.reach("getTransaction").await?;
        let height = self.height(commitment);
        let state = self.cluster.lock();
        let executed = |landed: &Landed| Executed {
            message: landed.transaction.message.serialize(),
            error: landed.error.clone(),
            token_balances: landed.token_balances.clone(),
        };
        Ok(state.blocks.find(signature, height).map(executed))
    }

    async fn logged(&self, address: &Address, since: Option<&Signature>) -> Result<Vec<Logged>, ChainError> {
        self.reach("getSignaturesForAddress").await?;
        let height = self.height(Commitment::Finalized);
        let state = self.cluster.lock();
        let final_slot = state.blocks.at(height).slot;
        let names = |landed: &Landed| landed.accounts.contains(address);
        let history = state.blocks.history();
        let named =
            history.filter(|landed| landed.slot <= final_slot && landed.error.is_none() && names(landed));
        let mut told: Vec<_> = named.map(logged).collect();
        let known = since.and_then(|since| told.iter().position(|logged| logged.signature == *since));
        Ok(told.split_off(known.map_or(0, |known| known + 1)))
    }

    async fn logged_by(&self, signature: &Signature) -> Result<Option<Logged>, ChainError> {
        self.reach("getTransaction").await?;
        let height = self.height(Commitment::Finalized);
        let state = self.cluster.lock();
        let landed = state.blocks.find(signature, height).filter(|landed| landed.error.is_none());
        Ok(landed.map(logged))
    }

    async fn statuses(
        &self,
        signatures: &[Signature],
        search_history: bool,
        since_slot: u64,
    ) -> Result<Vec<Sighting>, ChainError> {
        self.reach("getSignatureStatuses").await?;
        let state = &mut *self.cluster.lock();
        let [processed, confirmed, finalized] = state.heights(self.index);
        let status = |signature| {
            let landed = state.blocks.find(signature, processed)?;
            let at = state.blocks.height_at(landed.slot);
            if !search_history && at + BLOCKHASH_BLOCKS < processed {
                return None;
            }
            let commitment = match at {
                at if at <= finalized => Commitment::Finalized,
                at if at <= confirmed => Commitment::Confirmed,
                _ => Commitment::Processed,
            };
            Some(Status { slot: landed.slot, commitment, error: landed.error.clone() })
        };
        let slot = state.blocks.at(processed).slot;
        Ok(signatures.iter().map(|signature| Sighting::told(status(signature), slot, since_slot)).collect())
    }

    async fn block_hash(&self, slot: u64) -> Result<[u8; 32], ChainError> {
        self.reach("getBlock").await?;
        let confirmed = self.height(Commitment::Confirmed);
        let state = self.cluster.lock();
        let block = state.blocks.at(state.blocks.height_at(slot));
        if block.slot != slot || block.height > confirmed {
            return Err(failed("getBlock", "it has no confirmed block in this slot"));
        }
        Ok(block.hash)
    }
}
