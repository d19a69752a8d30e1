//! The cluster's node: its answers to the verifier.

use std::sync::MutexGuard;

use async_trait::async_trait;
use solana_sdk::transaction::VersionedTransaction;
use x402_escrow_domain::{
    cluster::{Account, Blockhash, Consensus, Executed, Logged, Sighting, Snapshot, Status, Tip},
    lookup_tables,
};
use x402_escrow_interface::{Address, instruction::Signature};
use x402_escrow_verifier::chain::{Chain, ChainError, SendError};
use x402_escrow_wire::auth_capture::Commitment;

use super::{BLOCKHASH_BLOCKS, Cluster, State};

/// Bytes that fit what a node takes and passes on.
const PACKET_DATA_SIZE: usize = 1232;

impl Cluster {
    fn answering(&self, request: &'static str) -> Result<MutexGuard<'_, State>, ChainError> {
        let state = self.state();
        if state.is_down {
            return Err(ChainError::silence(request, "it can't be reached"));
        }
        Ok(state)
    }
}

#[async_trait]
impl Chain for Cluster {
    async fn genesis_hash(&self) -> Result<String, ChainError> {
        Ok("EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG".to_owned())
    }

    async fn consensus(&self) -> Result<Consensus, ChainError> {
        Ok(self.answering("getAgGenesisCert")?.consensus)
    }

    async fn accounts(&self, addresses: &[Address], commitment: Commitment) -> Result<Snapshot, ChainError> {
        let state = self.answering("getMultipleAccounts")?;
        let (slot, svm) = match (&state.confirmed, commitment, &state.facts) {
            (Some(confirmed), Commitment::Confirmed | Commitment::Finalized, _) => (state.slot, confirmed),
            (_, _, Some((slot, facts))) => (*slot, facts),
            _ => (state.slot, &state.svm),
        };
        let accounts = addresses.iter().map(|address| {
            svm.get_account(address).filter(|account| account.lamports > 0).map(|account| Account {
                owner: account.owner,
                data: account.data,
                lamports: account.lamports,
            })
        });
        Ok(Snapshot { slot, accounts: accounts.collect() })
    }

    async fn blockhash(&self) -> Result<Blockhash, ChainError> {
        let state = self.answering("getLatestBlockhash")?;
        Ok(Blockhash {
            hash: state.svm.latest_blockhash().to_bytes(),
            last_valid_block_height: state.block_height + BLOCKHASH_BLOCKS,
        })
    }

    async fn recent_prices(&self, _writable: &[Address]) -> Result<Vec<u64>, ChainError> {
        Ok(self.answering("getRecentPrioritizationFees")?.prices.clone())
    }

    async fn tip(&self) -> Result<Tip, ChainError> {
        let state = self.answering("getEpochInfo")?;
        Ok(Tip { slot: state.slot, block_height: state.block_height })
    }

    async fn send(&self, bytes: &[u8], preflight: bool) -> Result<(), SendError> {
        let transaction: VersionedTransaction = bincode::deserialize(bytes).unwrap();
        let signature = transaction.signatures[0].into();
        self.state().sent.push(signature);
        let budget = &transaction.message.instructions()[..2];
        let units = u32::from_le_bytes(budget[0].data[1..].try_into().unwrap());
        self.state().offered.push((u64::from_le_bytes(budget[1].data[1..].try_into().unwrap()), units));
        let mut state = self.answering("sendTransaction")?;
        state.lengths.push(bytes.len());
        if bytes.len() > PACKET_DATA_SIZE {
            let message = format!("too large: {} bytes (max: {PACKET_DATA_SIZE})", bytes.len());
            return Err(ChainError::answer("sendTransaction", message).into());
        }
        if preflight && let Err(failed) = state.svm.simulate_transaction(transaction.clone()) {
            return Err(SendError::Simulation(failed.err));
        }
        let changes_table = transaction.message.static_account_keys().contains(&lookup_tables::PROGRAM_ID);
        let is_lost = state.loses_transactions || state.loses_tables && changes_table;
        if !is_lost {
            state.execute(signature, transaction);
        }
        Ok(())
    }

    async fn simulate(&self, bytes: &[u8]) -> Result<(), SendError> {
        let transaction: VersionedTransaction = bincode::deserialize(bytes).unwrap();
        let state = self.answering("simulateTransaction")?;
        let svm = state.svm.clone().with_sigverify(false);
        match svm.simulate_transaction(transaction) {
            Ok(_) => Ok(()),
            Err(failed) => Err(SendError::Simulation(failed.err)),
        }
    }

    async fn executed(
        &self,
        signature: &Signature,
        commitment: Commitment,
    ) -> Result<Option<Executed>, ChainError> {
        let state = self.answering("getTransaction")?;
        let shown = state.level >= commitment && state.landed.contains_key(signature);
        Ok(state.executed.get(signature).filter(|_| shown).cloned())
    }

    async fn logged(&self, address: &Address, since: Option<&Signature>) -> Result<Vec<Logged>, ChainError> {
        if self.answering("getSignaturesForAddress")?.hides_logs {
            std::future::pending::<()>().await;
        }
        let state = self.state();
        if state.level != Commitment::Finalized {
            return Ok(Vec::new());
        }
        let naming = state.logged.iter().filter(|(keys, _)| keys.contains(address));
        let mut told: Vec<_> = naming.map(|(_, logged)| logged.clone()).collect();
        let known = since.and_then(|since| told.iter().position(|logged| logged.signature == *since));
        Ok(told.split_off(known.map_or(0, |known| known + 1)))
    }

    async fn logged_by(&self, signature: &Signature) -> Result<Option<Logged>, ChainError> {
        let state = self.answering("getTransaction")?;
        let shown = state.level == Commitment::Finalized && state.landed.contains_key(signature);
        let mut logged = state.logged.iter().map(|(_, logged)| logged);
        Ok(logged.find(|logged| shown && logged.signature == *signature).cloned())
    }

    async fn statuses(
        &self,
        signatures: &[Signature],
        _search_history: bool,
        _since_slot: u64,
    ) -> Result<Vec<Sighting>, ChainError> {
        let state = self.answering("getSignatureStatuses")?;
        let status = |signature| {
            let (slot, error) = state.landed.get(signature)?.clone();
            Some(Status { slot, commitment: state.level, error })
        };
        Ok(signatures.iter().map(status).map(Sighting::from).collect())
    }

    async fn block_hash(&self, slot: u64) -> Result<[u8; 32], ChainError> {
        let state = self.answering("getBlock")?;
        let hash = state.block_hashes.get(&slot).copied();
        hash.ok_or_else(|| ChainError::answer("getBlock", format!("Block not available for slot {slot}")))
    }
}
