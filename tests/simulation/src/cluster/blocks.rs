//! The chain: blocks with the accounts after each.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use litesvm::LiteSVM;
use solana_sdk::{
    clock::Clock,
    hash::hashv,
    transaction::{TransactionError, VersionedTransaction},
};
use x402_escrow_interface::instruction::Signature;

use super::{Consensus, Landed, Places};

pub(super) const FIRST_SLOT: u64 = 1_000;
pub(super) const FIRST_HEIGHT: u64 = 900;

/// Blocks for which a blockhash is valid.
pub(super) const BLOCKHASH_BLOCKS: u64 = 150;

/// A block.
pub(super) struct Block {
    pub(super) slot: u64,
    pub(super) height: u64,
    pub(super) hash: [u8; 32],
    time: i64,
    /// The accounts after its last transaction, with its clock; made when somebody looks.
    bank: OnceLock<Arc<LiteSVM>>,
    pub(super) landed: Vec<Landed>,
}

/// The chain that the cluster follows.
pub(super) struct Blocks {
    chain: Vec<Block>,
    confirmed: u64,
    /// Where transactions are: height, and position in its block.
    places: Places,
    /// The height of each block by its hash.
    by_hash: HashMap<[u8; 32], u64>,
    /// Makes the hashes of blocks of two forks differ.
    made: u64,
}

impl Blocks {
    pub(super) fn new(genesis: LiteSVM, time: i64) -> Self {
        let hash = hashv(&[b"genesis"]).to_bytes();
        let bank = OnceLock::from(Arc::new(at_slot(genesis, FIRST_SLOT, time)));
        let first = Block { slot: FIRST_SLOT, height: FIRST_HEIGHT, hash, time, bank, landed: Vec::new() };
        Self {
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

    /// The accounts at `height`.
    pub(super) fn bank(&self, height: u64) -> &LiteSVM {
        let block = self.at(height);
        block.bank.get_or_init(|| {
            let before = self.chain[..Self::index(height)].iter().rev().find_map(|block| block.bank.get());
            let before = before.expect("the first block has a bank");
            Arc::new(at_slot(LiteSVM::clone(before), block.slot, block.time))
        })
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
        let (height, parent_hash) = (parent.height + 1, parent.hash);
        self.made += 1;
        let hash = hashv(&[&parent_hash, &self.made.to_le_bytes()]).to_bytes();
        let mut landed = Vec::new();
        let mut bank = None;
        for transaction in transactions {
            let signature: Signature = transaction.signatures[0].into();
            let known = self.places.contains_key(&signature)
                || landed.iter().any(|landed: &Landed| landed.signature == signature);
            if known || !self.is_valid(&transaction, height) {
                continue;
            }
            let bank = bank.get_or_insert_with(|| at_slot(self.bank(height - 1).clone(), slot, time));
            let (error, logs) = match bank.send_transaction(transaction.clone()) {
                Ok(done) => (None, done.logs),
                Err(failed) => (Some(failed.err), failed.meta.logs),
            };
            // No block has what can't pay its fee or isn't signed.
            if matches!(
                error,
                Some(
                    TransactionError::AccountNotFound
                        | TransactionError::InsufficientFundsForFee
                        | TransactionError::SignatureFailure
                )
            ) {
                continue;
            }
            landed.push(Landed { slot, signature, error, logs, transaction });
        }
        for (position, landed) in landed.iter().enumerate() {
            self.places.insert(landed.signature, (height, position));
        }
        self.by_hash.insert(hash, height);
        let cell = OnceLock::new();
        if let Some(bank) = bank {
            _ = cell.set(Arc::new(bank));
        }
        self.chain.push(Block { slot, height, hash, time, bank: cell, landed });
        let [depth, _] = consensus.depths();
        self.confirmed = self.confirmed.max(height.saturating_sub(depth)).max(FIRST_HEIGHT);
        self.forget(height);
    }

    /// Nobody looks at old accounts any more, but the next block builds on some.
    fn forget(&mut self, height: u64) {
        const KEPT: u64 = 80;
        let Some(old) = height.checked_sub(KEPT).filter(|old| *old > FIRST_HEIGHT) else { return };
        if old % KEPT == 0 {
            let kept = Arc::new(self.bank(old).clone());
            for block in &mut self.chain[..Self::index(old)] {
                block.bank = OnceLock::new();
            }
            self.chain[Self::index(old)].bank = OnceLock::from(kept);
        }
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
        dropped
    }

    pub(super) fn history(&self) -> Vec<Landed> {
        self.chain.iter().flat_map(|block| block.landed.clone()).collect()
    }
}

/// The accounts with the clock of a block.
fn at_slot(mut bank: LiteSVM, slot: u64, time: i64) -> LiteSVM {
    bank.warp_to_slot(slot);
    let mut clock: Clock = bank.get_sysvar();
    clock.unix_timestamp = time;
    bank.set_sysvar(&clock);
    bank
}
