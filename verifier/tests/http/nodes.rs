//! A node of the cluster that can be slow, silent, behind, or a liar.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use solana_sdk::transaction::TransactionError;
use tokio::sync::Notify;
use x402_escrow_domain::cluster::{
    Account, Blockhash, Consensus, Executed, Logged, Sighting, Snapshot, Status, Tip,
};
use x402_escrow_interface::{Address, instruction::Signature};
use x402_escrow_verifier::chain::{Chain, ChainError, SendError};
use x402_escrow_wire::auth_capture::Commitment;

use crate::{cluster::Cluster, world::program};

/// What is wrong with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// It refuses connections.
    Down,
    /// It never answers.
    Hangs,
    /// It never answers this request.
    HangsAt(&'static str),
    /// It answers that often and then never; what it is sent counts when it comes and when the answer goes.
    AnswersThenHangs(usize),
    /// It says that its newest slot is this far from the others'.
    Slots(i64),
    /// It has not come to the blocks that it is asked about.
    Lags,
    /// Its connection breaks at this request.
    Breaks(&'static str),
    /// Its connection breaks at this request, once.
    BreaksOnce(&'static str),
    /// It has no block, and says so.
    LacksBlocks,
    /// It says that blockhashes live so many blocks longer than they do.
    BlockhashLives(i64),
    /// It says that its cluster runs this consensus.
    Runs(Consensus),
    /// It is of another cluster.
    ElsewhereId,
    /// Every transaction that it is asked about is final.
    ClaimsFinal,
    /// It has seen no transaction.
    Denies,
    /// Every simulation fails.
    RefusesAll,
    /// Accounts are there, with other contents.
    InventsMoney,
    /// No account of the escrow program is there.
    HidesAccounts,
}

/// A node of the cluster.
pub(crate) struct Node {
    cluster: Arc<Cluster>,
    fault: Mutex<Fault>,
    hanging: Notify,
}

impl Node {
    pub(crate) fn new(cluster: &Arc<Cluster>) -> Arc<Self> {
        Arc::new(Self {
            cluster: Arc::clone(cluster),
            fault: Mutex::new(Fault::None),
            hanging: Notify::new(),
        })
    }

    pub(crate) fn break_with(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    /// Waits until somebody waits for it in vain.
    pub(crate) async fn hanging(&self) {
        self.hanging.notified().await;
    }

    async fn fault(&self, request: &'static str) -> Result<Fault, ChainError> {
        let fault = {
            let mut fault = self.fault.lock().unwrap();
            *fault = match *fault {
                Fault::AnswersThenHangs(0) => Fault::Hangs,
                Fault::AnswersThenHangs(more) => Fault::AnswersThenHangs(more - 1),
                Fault::BreaksOnce(at) if at == request => {
                    *fault = Fault::None;
                    return Err(ChainError::silence(request, "the connection broke"));
                }
                other => other,
            };
            *fault
        };
        match fault {
            Fault::Breaks(at) if at == request => Err(ChainError::silence(request, "the connection broke")),
            Fault::LacksBlocks if request == "getBlock" => {
                Err(ChainError::answer(request, "Block not available for slot 100 (-32004)"))
            }
            Fault::Down => Err(ChainError::silence(request, "it can't be reached")),
            Fault::HangsAt(at) if at == request => std::future::pending().await,
            Fault::Hangs => {
                self.hanging.notify_one();
                std::future::pending().await
            }
            fault => Ok(fault),
        }
    }
}

#[async_trait]
impl Chain for Node {
    async fn genesis_hash(&self) -> Result<String, ChainError> {
        match self.fault("getGenesisHash").await? {
            Fault::ElsewhereId => Ok("5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d".to_owned()),
            _ => self.cluster.genesis_hash().await,
        }
    }

    async fn consensus(&self) -> Result<Consensus, ChainError> {
        match self.fault("getAgGenesisCert").await? {
            Fault::Runs(consensus) => Ok(consensus),
            _ => self.cluster.consensus().await,
        }
    }

    async fn accounts(&self, addresses: &[Address], commitment: Commitment) -> Result<Snapshot, ChainError> {
        let fault = self.fault("getMultipleAccounts").await?;
        let mut snapshot = self.cluster.accounts(addresses, commitment).await?;
        let ours = |account: &&mut Account| account.owner == program();
        match fault {
            Fault::Slots(apart) => snapshot.slot = snapshot.slot.saturating_add_signed(apart),
            Fault::HidesAccounts => {
                for account in &mut snapshot.accounts {
                    *account = account.take().filter(|account| account.owner != program());
                }
            }
            // The escrow's balance follows the discriminator, 8 bytes and six addresses.
            Fault::InventsMoney => {
                for account in snapshot.accounts.iter_mut().flatten().filter(ours) {
                    account.data[8 + 8 + 6 * 32 + 7] = 0x7f;
                }
            }
            _ => {}
        }
        Ok(snapshot)
    }

    async fn blockhash(&self) -> Result<Blockhash, ChainError> {
        let fault = self.fault("getLatestBlockhash").await?;
        let mut blockhash = self.cluster.blockhash().await?;
        if let Fault::BlockhashLives(longer) = fault {
            blockhash.last_valid_block_height =
                blockhash.last_valid_block_height.saturating_add_signed(longer);
        }
        Ok(blockhash)
    }

    async fn recent_prices(&self, writable: &[Address]) -> Result<Vec<u64>, ChainError> {
        self.fault("getRecentPrioritizationFees").await?;
        self.cluster.recent_prices(writable).await
    }

    async fn tip(&self) -> Result<Tip, ChainError> {
        self.fault("getEpochInfo").await?;
        self.cluster.tip().await
    }

    async fn send(&self, transaction: &[u8], preflight: bool) -> Result<(), SendError> {
        match self.fault("sendTransaction").await? {
            Fault::RefusesAll => Err(SendError::Simulation(TransactionError::InsufficientFundsForFee)),
            Fault::AnswersThenHangs(_) => {
                let sent = self.cluster.send(transaction, preflight).await;
                self.fault("sendTransaction").await?;
                sent
            }
            _ => self.cluster.send(transaction, preflight).await,
        }
    }

    async fn simulate(&self, transaction: &[u8]) -> Result<(), SendError> {
        match self.fault("simulateTransaction").await? {
            Fault::RefusesAll => Err(SendError::Simulation(TransactionError::InsufficientFundsForFee)),
            _ => self.cluster.simulate(transaction).await,
        }
    }

    async fn executed(
        &self,
        signature: &Signature,
        commitment: Commitment,
    ) -> Result<Option<Executed>, ChainError> {
        match self.fault("getTransaction").await? {
            Fault::Denies => Ok(None),
            _ => self.cluster.executed(signature, commitment).await,
        }
    }

    async fn logged(&self, address: &Address, since: Option<&Signature>) -> Result<Vec<Logged>, ChainError> {
        match self.fault("getSignaturesForAddress").await? {
            Fault::Denies => Ok(Vec::new()),
            _ => self.cluster.logged(address, since).await,
        }
    }

    async fn logged_by(&self, signature: &Signature) -> Result<Option<Logged>, ChainError> {
        match self.fault("getTransaction").await? {
            Fault::Denies => Ok(None),
            _ => self.cluster.logged_by(signature).await,
        }
    }

    async fn statuses(
        &self,
        signatures: &[Signature],
        search_history: bool,
        since_slot: u64,
    ) -> Result<Vec<Sighting>, ChainError> {
        let fault = self.fault("getSignatureStatuses").await?;
        let mut statuses = self.cluster.statuses(signatures, search_history, since_slot).await?;
        match fault {
            Fault::ClaimsFinal => statuses.fill(Sighting::Seen(Status {
                slot: self.cluster.state().slot,
                commitment: Commitment::Finalized,
                error: None,
            })),
            Fault::Denies => statuses.fill(Sighting::Unseen),
            Fault::Lags => statuses.fill(Sighting::Disputed),
            _ => {}
        }
        Ok(statuses)
    }

    async fn block_hash(&self, slot: u64) -> Result<[u8; 32], ChainError> {
        self.fault("getBlock").await?;
        self.cluster.block_hash(slot).await
    }
}
