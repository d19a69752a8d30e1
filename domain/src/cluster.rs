//! What a cluster says, as nodes answer it. Uses nothing of this crate.

use solana_sdk::transaction::TransactionError;
use x402_escrow_interface::{Address, instruction::Signature};
use x402_escrow_wire::auth_capture::Commitment;

/// By what a cluster's nodes agree, as far as a node tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Consensus {
    /// Votes by certificate: a block is skipped, or final about 150 ms later.
    Alpenglow,
    /// Votes in blocks: confirmed by two thirds of the stake, and final 32 blocks later.
    TowerBft,
    /// The nodes don't tell.
    #[default]
    Unknown,
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
    /// How final its block is.
    pub commitment: Commitment,
    /// Why it failed; it is in a block, and nothing but its fee moved.
    pub error: Option<TransactionError>,
}

/// The newest confirmed block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tip {
    /// Its slot.
    pub slot: u64,
    /// How many blocks there are up to it.
    pub block_height: u64,
}

/// What is known of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// It is in a block.
    Seen(Status),
    /// It is in no block.
    Unseen,
    /// It may be in a block or not: the nodes disagree, or the one that was asked is behind what is known already.
    Disputed,
}

impl Sighting {
    /// Where it is, if it ran and that is known.
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Seen(status) if !status.did_not_run() => Some(status),
            Self::Seen(_) | Self::Unseen | Self::Disputed => None,
        }
    }
}

impl Status {
    /// Whether the transaction is in a block and did not run, since its fee payer could not pay (SIMD-0290): it moved
    /// nothing, not even a fee, and counts as never sent.
    pub fn did_not_run(&self) -> bool {
        use TransactionError as E;
        matches!(self.error, Some(E::AccountNotFound | E::InsufficientFundsForFee | E::InvalidAccountForFee))
    }
}

impl Sighting {
    /// What a node that is at `slot` says of a transaction; one behind `since_slot` can't say that no block has it.
    pub fn told(status: Option<Status>, slot: u64, since_slot: u64) -> Self {
        match status {
            Some(status) => Self::Seen(status),
            None if slot < since_slot => Self::Disputed,
            None => Self::Unseen,
        }
    }
}

impl From<Option<Status>> for Sighting {
    fn from(status: Option<Status>) -> Self {
        status.map_or(Self::Unseen, Self::Seen)
    }
}

/// A final transaction that succeeded, and what the programs that it called logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Its id.
    pub signature: Signature,
    /// The slot of its block.
    pub slot: u64,
    /// The lines of the log.
    pub logs: Vec<String>,
}

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
