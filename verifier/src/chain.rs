//! The network seam: all that the verifier asks of a Solana node. Behind it are [`RpcChain`] and, in tests, a cluster
//! whose answers the test controls.

mod agreement;
mod node;
mod rpc;
mod several;

use async_trait::async_trait;
use solana_sdk::transaction::TransactionError;
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

    /// The accounts at `addresses` (at most 100) as of one slot, in the same order.
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

    /// Height of the newest confirmed block.
    async fn block_height(&self) -> Result<u64, ChainError>;

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

    /// What the cluster knows of these transactions (at most [`STATUSES_PER_REQUEST`]), in the same order. Without `search_history` only
    /// recent ones are looked for: those whose blockhash is still valid.
    async fn statuses(
        &self,
        signatures: &[Signature],
        search_history: bool,
    ) -> Result<Vec<Option<Status>>, ChainError>;

    /// Hash of the confirmed block in `slot`.
    async fn block_hash(&self, slot: u64) -> Result<[u8; 32], ChainError>;

    /// How each of the nodes is, where there are several.
    fn nodes(&self) -> Vec<NodeReport> {
        Vec::new()
    }
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The program that owns it.
    pub owner: Address,
    /// What it stores.
    pub data: Vec<u8>,
    /// Its balance.
    pub lamports: u64,
}

/// Accounts as of one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The slot.
    pub slot: u64,
    /// `None` for an account that doesn't exist.
    pub accounts: Vec<Option<Account>>,
}

/// A blockhash for a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blockhash {
    /// The hash.
    pub hash: [u8; 32],
    /// Height of the last block that a transaction with it can be in.
    pub last_valid_block_height: u64,
}

/// What the cluster knows of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The slot of its block.
    pub slot: u64,
    /// Blocks voted for on top of it; [`FINAL_CONFIRMATIONS`] once it is final.
    pub confirmations: u64,
    /// How final its block is.
    pub commitment: Commitment,
    /// Why it failed; it is in a block, and nothing but its fee moved.
    pub error: Option<TransactionError>,
}

/// Most transactions that the node is asked about at once (`getSignatureStatuses`).
pub const STATUSES_PER_REQUEST: usize = 256;

/// What a transaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// The transaction's message.
    pub message: Vec<u8>,
    /// Why it failed.
    pub error: Option<TransactionError>,
    /// The token accounts that it named.
    pub token_balances: Vec<TokenBalance>,
}

/// What a token account had before and after a transaction, in base units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBalance {
    /// The token account.
    pub account: Address,
    /// Its mint.
    pub mint: Address,
    /// Before; 0 of one that did not exist.
    pub before: u64,
    /// After.
    pub after: u64,
}

/// A final block has no count of confirmations any more; it had 31, and this stands for "more than that".
pub const FINAL_CONFIRMATIONS: u64 = 32;

/// The node did not answer, or not with what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Solana node failed at {request}: {message}")]
pub struct ChainError {
    /// The RPC method.
    pub request: &'static str,
    /// What went wrong.
    pub message: String,
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
