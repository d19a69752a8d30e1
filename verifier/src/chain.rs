//! What the verifier asks of Solana nodes. Uses `domain`. Behind [`Chain`] are [`RpcChain`], [`Several`] and, in tests, a
//! cluster whose answers the test controls.

mod agreement;
pub mod facts;
pub mod live;
mod node;
pub mod recent;
mod rpc;
mod several;
pub mod together;
pub mod views;

use async_trait::async_trait;
use solana_sdk::transaction::TransactionError;
use x402_escrow_domain::cluster::{Blockhash, Consensus, Executed, Logged, Sighting, Snapshot, Tip};
use x402_escrow_interface::{Address, instruction::Signature};
use x402_escrow_wire::auth_capture::Commitment;

pub use node::NodeReport;
pub use rpc::RpcChain;
pub use several::Several;

/// What the verifier asks of a Solana node.
#[async_trait]
pub trait Chain: Send + Sync + 'static {
    /// Which cluster this is: its genesis hash as base58.
    async fn genesis_hash(&self) -> Result<String, ChainError>;

    /// By what the cluster agrees.
    async fn consensus(&self) -> Result<Consensus, ChainError> {
        Ok(Consensus::Unknown)
    }

    /// The accounts at `addresses` (at most 100) as of one slot, in the same order. Of several nodes more than half have
    /// the same of these accounts, and the contents are those of one: to be shown, not to be acted on.
    async fn accounts(&self, addresses: &[Address], commitment: Commitment) -> Result<Snapshot, ChainError>;

    /// [`Chain::accounts`] as each node that is asked has them, at least one.
    async fn accounts_of_each(
        &self,
        addresses: &[Address],
        commitment: Commitment,
    ) -> Result<Vec<Snapshot>, ChainError> {
        Ok(vec![self.accounts(addresses, commitment).await?])
    }

    /// A recent blockhash, confirmed.
    async fn blockhash(&self) -> Result<Blockhash, ChainError>;

    /// For each of the recent blocks, the least price of a compute unit for which it took a transaction that writes to
    /// these accounts (at most 128), in millionths of a lamport.
    async fn recent_prices(&self, writable: &[Address]) -> Result<Vec<u64>, ChainError>;

    /// The newest confirmed block.
    async fn tip(&self) -> Result<Tip, ChainError>;

    /// Hands a signed transaction to the cluster. With `preflight` it is simulated first, on the newest block, and
    /// nothing is broadcast if that fails.
    async fn send(&self, transaction: &[u8], preflight: bool) -> Result<(), SendError>;

    /// Executes a transaction on the newest confirmed block without sending it, with the blockhash that it has. Signatures
    /// are not looked at: the fee payer has not signed yet.
    async fn simulate(&self, transaction: &[u8]) -> Result<(), SendError>;

    /// What a transaction did, if a block as final as `commitment` (at least confirmed) has it and the node tells.
    async fn executed(
        &self,
        signature: &Signature,
        commitment: Commitment,
    ) -> Result<Option<Executed>, ChainError>;

    /// The newest final transactions (at most [`MAXIMUM_LOGGED`]) that name `address` and succeeded, oldest first: those after
    /// `since`, if it is one of them.
    async fn logged(&self, address: &Address, since: Option<&Signature>) -> Result<Vec<Logged>, ChainError>;

    /// What a final transaction logged, if it succeeded and the node tells.
    async fn logged_by(&self, signature: &Signature) -> Result<Option<Logged>, ChainError>;

    /// What the cluster knows of these transactions (at most [`STATUSES_PER_REQUEST`]), in the same order. Without `search_history` only
    /// recent ones are looked for: those whose blockhash is still valid. A node that is behind `since_slot` can't say that no
    /// block has one.
    async fn statuses(
        &self,
        signatures: &[Signature],
        search_history: bool,
        since_slot: u64,
    ) -> Result<Vec<Sighting>, ChainError>;

    /// Hash of the confirmed block in `slot`.
    async fn block_hash(&self, slot: u64) -> Result<[u8; 32], ChainError>;

    /// Waits until nodes answer that did not, or some are left out: what they said of the cluster is to be asked anew.
    async fn changed(&self) {
        std::future::pending().await
    }

    /// How many of [`Chain::accounts_of_each`] must say a thing before it is believed.
    fn needed(&self) -> usize {
        1
    }

    /// How each of the nodes is, where there are several.
    fn nodes(&self) -> Vec<NodeReport> {
        Vec::new()
    }
}

/// Of how many transactions that name an address the logs are read: whoever names it in more hides what it did.
pub const MAXIMUM_LOGGED: usize = 100;

/// Most transactions that the node is asked about at once (`getSignatureStatuses`).
pub const STATUSES_PER_REQUEST: usize = 256;

/// The node did not answer, or not with what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Solana node failed at {request}: {message}")]
pub struct ChainError {
    /// The RPC method.
    pub request: &'static str,
    /// What went wrong.
    pub message: String,
    /// Whether the node answered, if only that it can't say. A node that did not may be down.
    pub is_answer: bool,
}

impl ChainError {
    /// The node answered, and not with what was asked for.
    pub fn answer(request: &'static str, message: impl Into<String>) -> Self {
        Self { request, message: message.into(), is_answer: true }
    }

    /// The node did not answer.
    pub fn silence(request: &'static str, message: impl Into<String>) -> Self {
        Self { request, message: message.into(), is_answer: false }
    }
}

/// Why a transaction was not handed over.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SendError {
    /// The simulation failed: it was not broadcast.
    #[error("the simulation failed: {0}")]
    Simulation(TransactionError),
    /// The node did not answer: it may have been broadcast or not.
    #[error(transparent)]
    Unknown(#[from] ChainError),
}
