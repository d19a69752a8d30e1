//! What is on the chain.

use solana_sdk::transaction::{TransactionError, VersionedTransaction};
use x402_escrow_domain::cluster::TokenBalance;
use x402_escrow_interface::{Address, account::Hold, instruction::Signature};

/// A transaction in a block.
#[derive(Clone, Debug)]
pub struct Landed {
    /// Its slot.
    pub slot: u64,
    /// Its id.
    pub signature: Signature,
    /// Why it failed.
    pub error: Option<TransactionError>,
    /// Its logs.
    pub logs: Vec<String>,
    /// The transaction.
    pub transaction: VersionedTransaction,
    /// Its fee, in lamports.
    pub fee: u64,
    /// The token accounts that it names.
    pub token_balances: Vec<TokenBalance>,
    /// The accounts that it names, those in lookup tables included.
    pub accounts: Vec<Address>,
    /// The holds that it made or ended.
    pub holds: Vec<Rent>,
}

/// The rent of a hold that a transaction made or ended.
#[derive(Clone, Copy, Debug)]
pub struct Rent {
    /// The hold.
    pub hold: Hold,
    /// Its lamports.
    pub lamports: u64,
    /// Whether it was made, or ended.
    pub is_new: bool,
}
