//! The chain: blocks with the accounts after each.

use std::collections::HashMap;

use litesvm::LiteSVM;
use solana_sdk::{
    account::Account,
    hash::hashv,
    transaction::{TransactionError, VersionedTransaction},
};
use x402_escrow_domain::cluster::Consensus;
use x402_escrow_interface::{Address, instruction::Signature};

use super::{
    Landed, Places,
    accounts::{Accounts, Execution, Moment},
    weather::depths,
};

pub(super) const FIRST_SLOT: u64 = 1_000;
pub(super) const FIRST_HEIGHT: u64 = 900;

/// Blocks for which a blockhash is valid.
pub(super) const BLOCKHASH_BLOCKS: u64 = 150;

/// A block.
pub(super) struct Block {
    pub(super) slot: u64,
    pub(super) height: u64,
    pub(super) hash: [u8; 32],
    /// Unix seconds.
    time: i64,
    pub(super) landed: Vec<Landed>,
}

/// The chain that the cluster follows.
pub(super) struct Blocks {
    chain: Vec<Block>,
    accounts: Accounts,
    confirmed: u64,
    /// Where transactions are: height, and position in its block.
    places: Places,
    /// The height of each block by its hash.
    by_hash: HashMap<[u8; 32], u64>,
    /// Makes the hashes of blocks of two forks differ.
    made: u64,
}

impl Block {
    fn moment(&self) -> Moment {
        Moment { height: self.height, slot: self.slot, time: self.time }
    }
}

impl Blocks {
    pub(super) fn new(genesis: LiteSVM, time: i64) -> Self {
        let hash = hashv(&[b"genesis"]).to_bytes();
        let first = Block { slot: FIRST_SLOT, height: FIRST_HEIGHT, hash, time, landed: Vec::new() };
        Self {
            accounts: Accounts::new(genesis, first.moment()),
            chain: vec![first],
            confirmed: FIRST_HEIGHT,
            places: HashMap::new(),
            by_hash: HashMap::from([(hash, FIRST_HEIGHT)]),
            made: 0,
        }
    }

    /// Height of the newest block.
    pub(super) fn tip(&self) -> u64 {
        self.chain.last().map_or(FIRST_HEIGHT, |block| block.height)
    }

    /// Height of the newest confirmed block.
    pub(super) fn confirmed(&self) -> u64 {
        self.confirmed
    }

    fn index(height: u64) -> usize {
        usize::try_from(height - FIRST_HEIGHT).unwrap_or(usize::MAX)
    }

    pub(super) fn at(&self, height: u64) -> &Block {
        &self.chain[Self::index(height)]
    }

    /// Height of the newest block that is not after `slot`.
    pub(super) fn height_at(&self, slot: u64) -> u64 {
        let after = self.chain.partition_point(|block| block.slot <= slot);
        FIRST_HEIGHT + after.saturating_sub(1) as u64
    }

    /// An account as it is at `height`.
    pub(super) fn account(&self, address: &Address, height: u64) -> Option<Account> {
        self.accounts.get(address, self.at(height).moment())
    }

    /// Tries a transaction out on top of the block at `height`.
    pub(super) fn simulate(
        &mut self,
        transaction: VersionedTransaction,
        height: u64,
        is_signed: bool,
    ) -> Result<(), TransactionError> {
        let moment = self.at(height).moment();
        self.accounts.simulate(transaction, moment, is_signed)
    }

    /// Where a transaction is, as far as there are blocks up to `height`.
    pub(super) fn find(&self, signature: &Signature, height: u64) -> Option<&Landed> {
        let (at, position) = *self.places.get(signature)?;
        (at <= height).then(|| &self.at(at).landed[position])
    }

    /// The height of the block with this hash.
    pub(super) fn height_of(&self, hash: &[u8; 32]) -> Option<u64> {
        self.by_hash.get(hash).copied()
    }

    /// Adds a block.
    pub(super) fn push(
        &mut self,
        slot: u64,
        time: i64,
        transactions: Vec<VersionedTransaction>,
        consensus: Consensus,
    ) {
        let parent = self.at(self.tip());
        let (before, parent_hash) = (parent.moment(), parent.hash);
        let height = before.height + 1;
        self.made += 1;
        let hash = hashv(&[&parent_hash, &self.made.to_le_bytes()]).to_bytes();
        let mut landed = Vec::new();
        if !transactions.is_empty() {
            self.accounts.begin(before, Moment { height, slot, time });
        }
        for transaction in transactions {
            let signature: Signature = transaction.signatures[0].into();
            let known = self.places.contains_key(&signature)
                || landed.iter().any(|landed: &Landed| landed.signature == signature);
            if known || !self.is_valid(&transaction, height) {
                continue;
            }
            let Execution { error, logs, fee, token_balances, holds, accounts } =
                self.accounts.execute(&transaction);
            // No block has what can't pay its fee, isn't signed or names no account.
            if matches!(
                error,
                Some(
                    TransactionError::AccountNotFound
                        | TransactionError::InsufficientFundsForFee
                        | TransactionError::SignatureFailure
                        | TransactionError::AddressLookupTableNotFound
                        | TransactionError::InvalidAddressLookupTableIndex
                )
            ) {
                continue;
            }
            landed.push(Landed {
                slot,
                signature,
                error,
                logs,
                transaction,
                fee,
                token_balances,
                holds,
                accounts,
            });
        }
        for (position, landed) in landed.iter().enumerate() {
            self.places.insert(landed.signature, (height, position));
        }
        self.by_hash.insert(hash, height);
        self.chain.push(Block { slot, height, hash, time, landed });
        let [depth, _] = depths(consensus);
        self.confirmed = self.confirmed.max(height.saturating_sub(depth)).max(FIRST_HEIGHT);
    }

    /// Whether a block at `height` may have a transaction, by its blockhash.
    pub(super) fn is_valid(&self, transaction: &VersionedTransaction, height: u64) -> bool {
        let hash = transaction.message.recent_blockhash().to_bytes();
        self.height_of(&hash).is_some_and(|of| of < height && height <= of + BLOCKHASH_BLOCKS)
    }

    /// Drops the newest `count` blocks, and returns their transactions.
    pub(super) fn drop_newest(&mut self, count: u64) -> Vec<VersionedTransaction> {
        let from = self.chain.len() - usize::try_from(count).unwrap_or(0);
        let mut dropped = Vec::new();
        for block in self.chain.split_off(from) {
            self.by_hash.remove(&block.hash);
            for landed in block.landed {
                self.places.remove(&landed.signature);
                dropped.push(landed.transaction);
            }
        }
        self.accounts.drop_after(self.at(self.tip()).moment());
        dropped
    }

    pub(super) fn history(&self) -> impl Iterator<Item = &Landed> {
        self.chain.iter().flat_map(|block| &block.landed)
    }
}
