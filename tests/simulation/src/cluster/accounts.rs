//! The accounts after each block. One virtual machine is moved between blocks; what each account was
//! is kept beside it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
};

use litesvm::LiteSVM;
use solana_sdk::{
    account::{Account, ReadableAccount},
    clock::Clock,
    hash::Hash,
    program_pack::Pack,
    transaction::{TransactionError, VersionedTransaction},
};
use solana_slot_hashes::SlotHashes;
use spl_token_interface::state::Account as TokenAccount;
use x402_escrow_domain::{cluster::TokenBalance, facts::CLOCK_ID};
use x402_escrow_interface::{Address, account::Hold, address::TOKEN_PROGRAM_ID};

use super::{Rent, named::named};
use crate::setup::program;

/// How many slots' hashes programs can see.
const REMEMBERED_SLOTS: u64 = 512;

/// A block, as far as its accounts depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) height: u64,
    pub(super) slot: u64,
    /// Unix seconds.
    pub(super) time: i64,
}

/// The accounts of every block of the chain.
pub(super) struct Accounts {
    /// Has the accounts at `at`. `None` only while it is being set up otherwise.
    svm: Option<LiteSVM>,
    at: Moment,
    /// What an account is from which height on, of those that ever changed.
    versions: HashMap<Address, Vec<(u64, Option<Account>)>>,
    /// What changed at which height.
    changed: BTreeMap<u64, BTreeSet<Address>>,
}

/// What became of a transaction.
pub(super) struct Execution {
    pub(super) error: Option<TransactionError>,
    pub(super) logs: Vec<String>,
    pub(super) fee: u64,
    pub(super) token_balances: Vec<TokenBalance>,
    pub(super) holds: Vec<Rent>,
    pub(super) accounts: Vec<Address>,
}

impl Accounts {
    /// Those of the first block.
    pub(super) fn new(genesis: LiteSVM, first: Moment) -> Self {
        let mut svm = genesis;
        set_clock(&mut svm, first);
        Self { svm: Some(svm), at: first, versions: HashMap::new(), changed: BTreeMap::new() }
    }

    fn svm(&mut self) -> &mut LiteSVM {
        self.svm.as_mut().expect("it is there but for a moment")
    }

    /// An account as it is in a block.
    pub(super) fn get(&self, address: &Address, moment: Moment) -> Option<Account> {
        let newest = || self.svm.as_ref()?.get_account(address);
        if *address == CLOCK_ID {
            return newest().map(|mut account| {
                account.data[..8].copy_from_slice(&moment.slot.to_le_bytes());
                account.data[32..40].copy_from_slice(&moment.time.to_le_bytes());
                account
            });
        }
        match self.versions.get(address) {
            Some(versions) => version(versions, moment.height),
            None => newest(),
        }
    }

    /// Brings the machine to a block.
    fn move_to(&mut self, moment: Moment) {
        let (low, high) = (self.at.height.min(moment.height), self.at.height.max(moment.height));
        let between = self.changed.range((Bound::Excluded(low), Bound::Included(high)));
        let others: BTreeSet<Address> = between.flat_map(|(_, addresses)| addresses).copied().collect();
        for address in others {
            let account = self.versions.get(&address).and_then(|versions| version(versions, moment.height));
            // An account without lamports is none.
            self.svm().set_account(address, account.unwrap_or_default()).expect("it is no sysvar");
        }
        if self.at != moment {
            set_clock(self.svm(), moment);
        }
        self.at = moment;
    }

    /// Tries a transaction out on top of a block.
    pub(super) fn simulate(
        &mut self,
        transaction: VersionedTransaction,
        moment: Moment,
        is_signed: bool,
    ) -> Result<(), TransactionError> {
        self.move_to(moment);
        self.svm = self.svm.take().map(|svm| svm.with_sigverify(is_signed));
        let simulated = self.svm().simulate_transaction(transaction).map(drop).map_err(|failed| failed.err);
        self.svm = self.svm.take().map(|svm| svm.with_sigverify(true));
        simulated
    }

    /// Begins the block after `parent`, the newest one.
    pub(super) fn begin(&mut self, parent: Moment, block: Moment) {
        self.move_to(parent);
        set_clock(self.svm(), block);
        self.at = block;
    }

    /// Executes a transaction in the block that was begun last.
    pub(super) fn execute(&mut self, transaction: &VersionedTransaction) -> Execution {
        let height = self.at.height;
        let keys = named(self.svm(), &transaction.message);
        let read = |svm: &LiteSVM| keys.iter().map(|key| svm.get_account(key)).collect::<Vec<_>>();
        let before = read(self.svm());
        let (error, done) = match self.svm().send_transaction(transaction.clone()) {
            Ok(done) => (None, done),
            Err(failed) => (Some(failed.err), failed.meta),
        };
        let after = read(self.svm());
        let (mut token_balances, mut holds) = (Vec::new(), Vec::new());
        for (key, (before, after)) in keys.iter().zip(before.into_iter().zip(after)) {
            token_balances.extend(token_balance(*key, before.as_ref(), after.as_ref()));
            if before == after {
                continue;
            }
            holds.extend(rent(before.as_ref(), after.as_ref()));
            let versions = self.versions.entry(*key).or_insert_with(|| vec![(0, before)]);
            match versions.last_mut() {
                Some((from, account)) if *from == height => *account = after,
                _ => versions.push((height, after)),
            }
            self.changed.entry(height).or_default().insert(*key);
        }
        Execution { error, logs: done.logs, fee: done.fee, token_balances, holds, accounts: keys }
    }

    /// Forgets every block after `tip`.
    pub(super) fn drop_after(&mut self, tip: Moment) {
        if self.at.height > tip.height {
            self.move_to(tip);
        }
        for address in self.changed.split_off(&(tip.height + 1)).into_values().flatten() {
            if let Some(versions) = self.versions.get_mut(&address) {
                versions.retain(|(from, _)| *from <= tip.height);
            }
        }
    }
}

fn token_balance(
    account: Address,
    before: Option<&Account>,
    after: Option<&Account>,
) -> Option<TokenBalance> {
    let read = |account: &Account| {
        let is_token = account.owner == TOKEN_PROGRAM_ID;
        is_token.then(|| TokenAccount::unpack(&account.data).ok()).flatten()
    };
    let (before, after) = (before.and_then(read), after.and_then(read));
    let mint = after.or(before)?.mint;
    let amount = |account: Option<TokenAccount>| account.map_or(0, |account| account.amount);
    Some(TokenBalance { account, mint, before: amount(before), after: amount(after) })
}

/// The hold that is in one of them alone.
fn rent(before: Option<&Account>, after: Option<&Account>) -> Option<Rent> {
    let read = |account: Option<&Account>| {
        let account = account.filter(|account| account.owner == program())?;
        Some((Hold::decode(&account.data).ok()?, account.lamports))
    };
    match (read(before), read(after)) {
        (None, Some((hold, lamports))) => Some(Rent { hold, lamports, is_new: true }),
        (Some((hold, lamports)), None) => Some(Rent { hold, lamports, is_new: false }),
        _ => None,
    }
}

fn version(versions: &[(u64, Option<Account>)], height: u64) -> Option<Account> {
    let after = versions.partition_point(|(from, _)| *from <= height);
    let (_, account) = versions.get(after.checked_sub(1)?)?;
    account.clone().filter(|account| account.lamports() > 0)
}

fn set_clock(svm: &mut LiteSVM, moment: Moment) {
    let mut clock: Clock = svm.get_sysvar();
    (clock.slot, clock.unix_timestamp) = (moment.slot, moment.time);
    svm.set_sysvar(&clock);
    // As if every slot had a block, on every fork the same.
    let hash = |slot: u64| {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&slot.to_le_bytes());
        Hash::new_from_array(hash)
    };
    let slots = moment.slot.saturating_sub(REMEMBERED_SLOTS)..moment.slot;
    let hashes: Vec<_> = slots.map(|slot| (slot, hash(slot))).collect();
    svm.set_sysvar(&SlotHashes::new(&hashes));
}
