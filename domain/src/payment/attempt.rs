//! The transactions that carry out operations, and how far they are.

use x402_escrow_interface::instruction::Signature;
use x402_escrow_wire::{auth_capture::Commitment, error_code::ErrorCode};

/// A transaction that carries out an operation, perhaps others too. An operation can have several, of which the chain lets
/// one succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The transaction's id: the fee payer's signature.
    pub signature: Signature,
    /// The operation.
    pub operation_id: i64,
    /// Which of the transaction's operations it is; `None` if it is the only one.
    pub position: Option<u8>,
    /// The signed transaction. Only its first byte, which tells the layout, where it isn't to be sent again; empty if
    /// somebody else made it.
    pub transaction: Vec<u8>,
    /// Height of the last block it can be in.
    pub last_valid_block_height: u64,
    /// How far it is.
    pub state: AttemptState,
    /// Whether it failed in its block, and not for good by this operation's instruction: nothing moved, and the operation
    /// goes on in another transaction.
    pub is_blameless: bool,
}

impl Attempt {
    /// Whether somebody else made and sent it: it was found on chain.
    pub fn is_by_others(&self) -> bool {
        self.transaction.is_empty()
    }

    /// The only transaction of an operation that is not stored yet, and gets its id then: it is sent as it is.
    pub fn only(signature: Signature, transaction: Vec<u8>, last_valid_block_height: u64) -> Self {
        Self {
            signature,
            operation_id: 0,
            position: None,
            transaction,
            last_valid_block_height,
            state: AttemptState::Sent,
            is_blameless: false,
        }
    }
}

/// How far a transaction is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptState {
    /// Sent, and not seen in a block, or not any more.
    Sent,
    /// In a block.
    Landed(Landing),
    /// Not seen, and its blockhash is too old for any block to take it.
    Expired,
}

impl AttemptState {
    /// The name in the store and in answers.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Landed(landing) if landing.error.is_some() => "failed",
            Self::Landed(landing) => landing.commitment.as_str(),
            Self::Expired => "expired",
        }
    }

    /// Where it is in the chain.
    pub fn landing(&self) -> Option<&Landing> {
        match self {
            Self::Landed(landing) => Some(landing),
            Self::Sent | Self::Expired => None,
        }
    }
}

/// Where in the chain a transaction is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landing {
    /// The slot of its block.
    pub slot: u64,
    /// The block's hash, once it is confirmed and the node has told it.
    pub block_hash: Option<[u8; 32]>,
    /// How final its block is.
    pub commitment: Commitment,
    /// Why it failed.
    pub error: Option<Problem>,
}

/// Why an operation does not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The code for the answer.
    pub code: ErrorCode,
    /// The reason, for people.
    pub message: String,
}
