//! Nodes that lie: each of their answers may be what suits a thief, or anything.

use async_trait::async_trait;
use rand::Rng;
use solana_sdk::transaction::TransactionError;
use x402_escrow_domain::cluster::{
    Account, Blockhash, Consensus, Executed, Logged, Sighting, Snapshot, Status, Tip,
};
use x402_escrow_interface::{Address, instruction::Signature};
use x402_escrow_verifier::chain::{Chain, ChainError, SendError};
use x402_escrow_wire::auth_capture::Commitment;

use super::Node;

/// How often an answer is a lie.
const LIES: f64 = 0.4;

/// How far a lie about a slot or a height is from the truth: some less than makes a node suspect.
const MOST_SLOTS: u64 = 200;

/// A node that lies.
pub(super) struct Liar(pub(super) Node);

impl Liar {
    fn lies(&self) -> bool {
        self.0.cluster.lock().dice.random_bool(LIES)
    }

    fn roll(&self, below: u64) -> u64 {
        self.0.cluster.lock().dice.random_range(0..below)
    }

    /// A number that is near the true one.
    fn shifted(&self, number: u64) -> u64 {
        let by = self.roll(MOST_SLOTS);
        if self.roll(2) == 0 { number.saturating_sub(by) } else { number + by }
    }

    fn account(&self, account: Option<Account>) -> Option<Account> {
        let mut account = account?;
        match self.roll(3) {
            0 => return None,
            1 => account.lamports = account.lamports.wrapping_mul(3),
            _ => {
                let length = account.data.len() as u64;
                if length > 0 {
                    let at = usize::try_from(self.roll(length)).unwrap_or(0);
                    account.data[at] ^= 1 << self.roll(8);
                }
            }
        }
        Some(account)
    }

    fn status(&self, slot: u64) -> Sighting {
        let error = (self.roll(2) == 0).then_some(TransactionError::AccountInUse);
        let commitment = [Commitment::Confirmed, Commitment::Finalized][usize::from(self.roll(2) == 0)];
        match self.roll(4) {
            0 => Sighting::Unseen,
            1 => Sighting::Disputed,
            _ => Sighting::Seen(Status { slot: self.shifted(slot), commitment, error }),
        }
    }
}

#[async_trait]
impl Chain for Liar {
    async fn genesis_hash(&self) -> Result<String, ChainError> {
        self.0.genesis_hash().await
    }

    async fn consensus(&self) -> Result<Consensus, ChainError> {
        let told = self.0.consensus().await?;
        if !self.lies() {
            return Ok(told);
        }
        Ok([Consensus::Alpenglow, Consensus::TowerBft, Consensus::Unknown][self.roll(3) as usize])
    }

    async fn accounts(&self, addresses: &[Address], commitment: Commitment) -> Result<Snapshot, ChainError> {
        let mut snapshot = self.0.accounts(addresses, commitment).await?;
        if self.lies() {
            snapshot.accounts = snapshot.accounts.into_iter().map(|account| self.account(account)).collect();
        }
        if self.lies() {
            snapshot.slot = self.shifted(snapshot.slot);
        }
        Ok(snapshot)
    }

    async fn blockhash(&self) -> Result<Blockhash, ChainError> {
        let mut blockhash = self.0.blockhash().await?;
        if self.lies() {
            match self.roll(2) {
                0 => blockhash.hash[0] ^= 1,
                _ => blockhash.last_valid_block_height = self.shifted(blockhash.last_valid_block_height),
            }
        }
        Ok(blockhash)
    }

    async fn recent_prices(&self, writable: &[Address]) -> Result<Vec<u64>, ChainError> {
        let prices = self.0.recent_prices(writable).await?;
        Ok(if self.lies() { vec![u64::MAX; 150] } else { prices })
    }

    async fn tip(&self) -> Result<Tip, ChainError> {
        let mut tip = self.0.tip().await?;
        if self.lies() {
            tip = Tip { slot: self.shifted(tip.slot), block_height: self.shifted(tip.block_height) };
        }
        Ok(tip)
    }

    async fn send(&self, bytes: &[u8], preflight: bool) -> Result<(), SendError> {
        if self.lies() {
            return match self.roll(3) {
                0 => Ok(()),
                1 => Err(SendError::Simulation(TransactionError::AccountNotFound)),
                _ => Err(SendError::Simulation(TransactionError::AlreadyProcessed)),
            };
        }
        self.0.send(bytes, preflight).await
    }

    async fn simulate(&self, bytes: &[u8]) -> Result<(), SendError> {
        if self.lies() {
            return match self.roll(2) {
                0 => Ok(()),
                _ => Err(SendError::Simulation(TransactionError::InsufficientFundsForFee)),
            };
        }
        self.0.simulate(bytes).await
    }

    async fn executed(
        &self,
        signature: &Signature,
        commitment: Commitment,
    ) -> Result<Option<Executed>, ChainError> {
        let mut executed = self.0.executed(signature, commitment).await?;
        if self.lies() {
            if let Some(executed) = &mut executed {
                executed.error = None;
                for balance in &mut executed.token_balances {
                    balance.after = balance.after.saturating_add(1_000);
                }
            }
        } else if self.lies() {
            executed = None;
        }
        Ok(executed)
    }

    async fn logged(&self, address: &Address, since: Option<&Signature>) -> Result<Vec<Logged>, ChainError> {
        let logged = self.0.logged(address, since).await?;
        Ok(if self.lies() { Vec::new() } else { logged })
    }

    async fn logged_by(&self, signature: &Signature) -> Result<Option<Logged>, ChainError> {
        let logged = self.0.logged_by(signature).await?;
        Ok(if self.lies() { None } else { logged })
    }

    async fn statuses(
        &self,
        signatures: &[Signature],
        search_history: bool,
        since_slot: u64,
    ) -> Result<Vec<Sighting>, ChainError> {
        let mut sightings = self.0.statuses(signatures, search_history, since_slot).await?;
        for sighting in &mut sightings {
            if self.lies() {
                *sighting = self.status(since_slot);
            }
        }
        Ok(sightings)
    }

    async fn block_hash(&self, slot: u64) -> Result<[u8; 32], ChainError> {
        let mut hash = self.0.block_hash(slot).await?;
        if self.lies() {
            hash[0] ^= 1;
        }
        Ok(hash)
    }
}
