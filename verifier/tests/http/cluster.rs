//! A cluster of one LiteSVM. Every transaction is executed by the real program; which blocks exist, how final they
//! are and whether the node answers is up to the test.

mod execute;
#[path = "../../../tests/simulation/src/cluster/named.rs"]
mod named;
mod node;

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex, MutexGuard},
};

use litesvm::LiteSVM;
use solana_sdk::{clock::Clock, hash::Hash, transaction::TransactionError};
use solana_slot_hashes::SlotHashes;
use x402_escrow_domain::{
    advance::EXPIRY_MARGIN_BLOCKS,
    cluster::{Consensus, Executed, Logged},
    payment::Attempt,
};
use x402_escrow_interface::{Address, instruction::Signature};
use x402_escrow_wire::auth_capture::Commitment;

use crate::program::program;

/// Blocks for which a blockhash is valid.
const BLOCKHASH_BLOCKS: u64 = 150;

/// The cluster.
pub(crate) struct Cluster {
    state: Mutex<State>,
}

/// What the cluster is made of.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) svm: LiteSVM,
    pub(crate) slot: u64,
    pub(crate) block_height: u64,
    /// By what it agrees.
    pub(crate) consensus: Consensus,
    /// How final every block is shown.
    pub(crate) level: Commitment,
    /// The transactions in blocks: their slot, and why they failed.
    pub(crate) landed: HashMap<Signature, (u64, Option<TransactionError>)>,
    /// The hashes of the blocks that have transactions, by slot.
    pub(crate) block_hashes: HashMap<u64, [u8; 32]>,
    /// How often banks of slots that had one already took their place.
    pub(crate) races: u8,
    /// What the transactions in blocks did, as the node tells it.
    pub(crate) executed: HashMap<Signature, Executed>,
    /// The accounts that the transactions in blocks named, and what was logged, in their order.
    pub(crate) logged: Vec<(Vec<Address>, Logged)>,
    /// What `send` was called with, repetitions included.
    pub(crate) sent: Vec<Signature>,
    /// What was offered for a compute unit, and how many it may take.
    pub(crate) offered: Vec<(u64, u32)>,
    /// How many bytes each transaction that was sent has, repetitions included.
    pub(crate) lengths: Vec<usize>,
    /// What recent blocks took for a compute unit.
    pub(crate) prices: Vec<u64>,
    /// The node takes transactions and loses them.
    pub(crate) loses_transactions: bool,
    /// It loses only those that change lookup tables.
    pub(crate) loses_tables: bool,
    /// The node doesn't answer.
    pub(crate) is_down: bool,
    /// The node never tells what transactions logged.
    pub(crate) hides_logs: bool,
    /// The next transaction lands with this error, although its simulation succeeded.
    pub(crate) next_error: Option<TransactionError>,
    /// What the accounts were at the newest confirmed block; `None` if they are the same.
    pub(crate) confirmed: Option<LiteSVM>,
    /// What the node says the accounts are, and as of which slot, where it lags behind; `None` if it does not.
    pub(crate) facts: Option<(u64, LiteSVM)>,
}

impl Cluster {
    pub(crate) fn new(now: i64) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/deploy/x402_escrow.so");
        let mut svm = LiteSVM::new();
        svm.add_program_from_file(program(), &file)
            .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask build`", file.display()));
        svm.warp_to_slot(100);
        let mut clock: Clock = svm.get_sysvar();
        clock.unix_timestamp = now;
        svm.set_sysvar(&clock);
        Self {
            state: Mutex::new(State {
                svm,
                slot: 100,
                block_height: 90,
                consensus: Consensus::Unknown,
                level: Commitment::Confirmed,
                landed: HashMap::new(),
                block_hashes: HashMap::new(),
                races: 0,
                executed: HashMap::new(),
                logged: Vec::new(),
                sent: Vec::new(),
                offered: Vec::new(),
                lengths: Vec::new(),
                prices: vec![0; 150],
                loses_transactions: false,
                loses_tables: false,
                is_down: false,
                hides_logs: false,
                next_error: None,
                confirmed: None,
                facts: None,
            }),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Makes time pass until no transaction with a blockhash of now can land any more.
    pub(crate) fn outlive_blockhash(&self) {
        let mut state = self.state();
        state.block_height += BLOCKHASH_BLOCKS + EXPIRY_MARGIN_BLOCKS + 1;
        state.svm.expire_blockhash();
    }

    /// The cluster's time, unix seconds. It stands still unless a test lets it pass.
    pub(crate) fn now(&self) -> i64 {
        self.state().svm.get_sysvar::<Clock>().unix_timestamp
    }

    /// Lets the cluster's time pass.
    pub(crate) fn pass_seconds(&self, seconds: i64) {
        let mut state = self.state();
        let mut clock: Clock = state.svm.get_sysvar();
        clock.unix_timestamp += seconds;
        state.svm.set_sysvar(&clock);
    }

    /// Lets slots with empty blocks pass.
    pub(crate) fn pass_slots(&self, count: u64) {
        const REMEMBERED: u64 = 512;
        // Each transaction takes a slot of its own: those until the next call are known before.
        const AHEAD: u64 = 100;
        let state = &mut *self.state();
        state.slot += count;
        let hash = |slot: u64| Hash::new_from_array([u8::try_from(slot % 256).unwrap(); 32]);
        let last = state.slot + AHEAD;
        let slots = last.saturating_sub(REMEMBERED - 1)..=last;
        let hashes: Vec<_> = slots.map(|slot| (slot, hash(slot))).collect();
        state.svm.set_sysvar(&SlotHashes::new(&hashes));
        // The next block is of the next slot.
        state.svm.warp_to_slot(state.slot + 1);
    }

    /// Goes back to `earlier`, as if the blocks since then were on a fork that was dropped. What was sent stays sent.
    pub(crate) fn drop_blocks_since(&self, earlier: State) {
        let mut state = self.state();
        let sent = std::mem::take(&mut state.sent);
        // No slot comes twice.
        *state = State { sent, slot: state.slot, ..earlier };
    }

    /// Goes back to `earlier`, and has other banks take the place of those since then, slot by slot: the next block is of
    /// a slot that had one, and has another hash. What was sent stays sent.
    pub(crate) fn race_since(&self, earlier: State) {
        let mut state = self.state();
        let (sent, races) = (std::mem::take(&mut state.sent), state.races + 1);
        *state = State { sent, races, ..earlier };
    }

    /// Puts a transaction into a block that was sent before, as a leader can that still has it.
    pub(crate) fn take(&self, attempt: &Attempt, bytes: &[u8]) {
        let transaction = bincode::deserialize(bytes).unwrap();
        self.state().execute(attempt.signature, transaction);
    }

    /// How many different transactions were sent.
    pub(crate) fn distinct_sent(&self) -> usize {
        self.state().sent.iter().collect::<std::collections::HashSet<_>>().len()
    }
}
