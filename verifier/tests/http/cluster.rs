//! A cluster of one LiteSVM. Every transaction is executed by the real program; which blocks exist, how final they
//! are and whether the node answers is up to the test.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex, MutexGuard},
};

use async_trait::async_trait;
use litesvm::LiteSVM;
use solana_sdk::{
    clock::Clock,
    program_pack::Pack,
    transaction::{TransactionError, VersionedTransaction},
};
use spl_token_interface::state::Account as TokenAccount;
use x402_escrow_domain::{
    advance::EXPIRY_MARGIN_BLOCKS,
    cluster::{
        Account, Blockhash, Consensus, Executed, Logged, Sighting, Snapshot, Status, Tip, TokenBalance,
    },
    payment::Attempt,
};
use x402_escrow_interface::{Address, instruction::Signature};
use x402_escrow_verifier::chain::{Chain, ChainError, SendError};
use x402_escrow_wire::auth_capture::Commitment;

use crate::program::program;

/// Blocks for which a blockhash is valid.
const BLOCKHASH_BLOCKS: u64 = 150;

/// Bytes that fit what a node takes and passes on.
const PACKET_DATA_SIZE: usize = 1232;

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

    fn answering(&self, request: &'static str) -> Result<MutexGuard<'_, State>, ChainError> {
        let state = self.state();
        if state.is_down {
            return Err(ChainError::silence(request, "it can't be reached"));
        }
        Ok(state)
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
    pub(crate) fn take(&self, attempt: &Attempt) {
        let transaction = bincode::deserialize(&attempt.transaction).unwrap();
        self.state().execute(attempt.signature, transaction);
    }

    /// How many different transactions were sent.
    pub(crate) fn distinct_sent(&self) -> usize {
        self.state().sent.iter().collect::<std::collections::HashSet<_>>().len()
    }
}

impl State {
    pub(crate) fn execute(&mut self, signature: Signature, transaction: VersionedTransaction) {
        let keys = transaction.message.static_account_keys().to_vec();
        let message = transaction.message.serialize();
        let before = self.token_amounts(&keys);
        // Only a transaction that has the instruction can fail for it.
        let count = transaction.message.instructions().len();
        let is_meant = |error: &mut TransactionError| match error {
            TransactionError::InstructionError(index, _) => usize::from(*index) < count,
            _ => true,
        };
        let outcome = match self.next_error.take_if(is_meant) {
            Some(error) => Some(error),
            None => match self.svm.send_transaction(transaction) {
                Ok(done) => {
                    self.logged
                        .push((keys.clone(), Logged { signature, slot: self.slot + 1, logs: done.logs }));
                    None
                }
                Err(failed) => match failed.err {
                    // Not in any block.
                    TransactionError::AlreadyProcessed | TransactionError::BlockhashNotFound => return,
                    error => Some(error),
                },
            },
        };
        self.slot += 1;
        self.block_height += 1;
        let token_balances = self
            .token_amounts(&keys)
            .into_iter()
            .map(|(account, (mint, after))| {
                let before = before.get(&account).map_or(0, |(_, before)| *before);
                TokenBalance { account, mint, before, after }
            })
            .collect();
        let mut hash = [u8::try_from(self.slot % 256).unwrap(); 32];
        hash[31] = hash[31].wrapping_add(self.races);
        self.block_hashes.insert(self.slot, hash);
        self.executed.insert(signature, Executed { message, error: outcome.clone(), token_balances });
        self.landed.insert(signature, (self.slot, outcome));
    }

    /// Mint and amount of those of these accounts that are token accounts.
    fn token_amounts(&self, keys: &[Address]) -> HashMap<Address, (Address, u64)> {
        let read = |key: &Address| {
            let account = self.svm.get_account(key)?;
            // Token-2022 has the same layout, and extensions behind it.
            let token = TokenAccount::unpack_from_slice(account.data.get(..TokenAccount::LEN)?).ok()?;
            Some((*key, (token.mint, token.amount)))
        };
        keys.iter().filter_map(read).collect()
    }
}

#[async_trait]
impl Chain for Cluster {
    async fn genesis_hash(&self) -> Result<String, ChainError> {
        Ok("EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG".to_owned())
    }

    async fn consensus(&self) -> Result<Consensus, ChainError> {
        Ok(self.answering("getAgGenesisCert")?.consensus)
    }

    async fn accounts(&self, addresses: &[Address], commitment: Commitment) -> Result<Snapshot, ChainError> {
        let state = self.answering("getMultipleAccounts")?;
        let (slot, svm) = match (&state.confirmed, commitment, &state.facts) {
            (Some(confirmed), Commitment::Confirmed | Commitment::Finalized, _) => (state.slot, confirmed),
            (_, _, Some((slot, facts))) => (*slot, facts),
            _ => (state.slot, &state.svm),
        };
        let accounts = addresses.iter().map(|address| {
            svm.get_account(address).filter(|account| account.lamports > 0).map(|account| Account {
                owner: account.owner,
                data: account.data,
                lamports: account.lamports,
            })
        });
        Ok(Snapshot { slot, accounts: accounts.collect() })
    }

    async fn blockhash(&self) -> Result<Blockhash, ChainError> {
        let state = self.answering("getLatestBlockhash")?;
        Ok(Blockhash {
            hash: state.svm.latest_blockhash().to_bytes(),
            last_valid_block_height: state.block_height + BLOCKHASH_BLOCKS,
        })
    }

    async fn recent_prices(&self, _writable: &[Address]) -> Result<Vec<u64>, ChainError> {
        Ok(self.answering("getRecentPrioritizationFees")?.prices.clone())
    }

    async fn tip(&self) -> Result<Tip, ChainError> {
        let state = self.answering("getEpochInfo")?;
        Ok(Tip { slot: state.slot, block_height: state.block_height })
    }

    async fn send(&self, bytes: &[u8], preflight: bool) -> Result<(), SendError> {
        let transaction: VersionedTransaction = bincode::deserialize(bytes).unwrap();
        let signature = transaction.signatures[0].into();
        self.state().sent.push(signature);
        let budget = &transaction.message.instructions()[..2];
        let units = u32::from_le_bytes(budget[0].data[1..].try_into().unwrap());
        self.state().offered.push((u64::from_le_bytes(budget[1].data[1..].try_into().unwrap()), units));
        let mut state = self.answering("sendTransaction")?;
        state.lengths.push(bytes.len());
        if bytes.len() > PACKET_DATA_SIZE {
            let message = format!("too large: {} bytes (max: {PACKET_DATA_SIZE})", bytes.len());
            return Err(ChainError::answer("sendTransaction", message).into());
        }
        if preflight && let Err(failed) = state.svm.simulate_transaction(transaction.clone()) {
            return Err(SendError::Simulation(failed.err));
        }
        if !state.loses_transactions {
            state.execute(signature, transaction);
        }
        Ok(())
    }

    async fn simulate(&self, bytes: &[u8]) -> Result<(), SendError> {
        let transaction: VersionedTransaction = bincode::deserialize(bytes).unwrap();
        let state = self.answering("simulateTransaction")?;
        let svm = state.svm.clone().with_sigverify(false);
        match svm.simulate_transaction(transaction) {
            Ok(_) => Ok(()),
            Err(failed) => Err(SendError::Simulation(failed.err)),
        }
    }

    async fn executed(
        &self,
        signature: &Signature,
        commitment: Commitment,
    ) -> Result<Option<Executed>, ChainError> {
        let state = self.answering("getTransaction")?;
        let shown = state.level >= commitment && state.landed.contains_key(signature);
        Ok(state.executed.get(signature).filter(|_| shown).cloned())
    }

    async fn logged(&self, address: &Address, since: Option<&Signature>) -> Result<Vec<Logged>, ChainError> {
        if self.answering("getSignaturesForAddress")?.hides_logs {
            std::future::pending::<()>().await;
        }
        let state = self.state();
        if state.level != Commitment::Finalized {
            return Ok(Vec::new());
        }
        let naming = state.logged.iter().filter(|(keys, _)| keys.contains(address));
        let mut told: Vec<_> = naming.map(|(_, logged)| logged.clone()).collect();
        let known = since.and_then(|since| told.iter().position(|logged| logged.signature == *since));
        Ok(told.split_off(known.map_or(0, |known| known + 1)))
    }

    async fn logged_by(&self, signature: &Signature) -> Result<Option<Logged>, ChainError> {
        let state = self.answering("getTransaction")?;
        let shown = state.level == Commitment::Finalized && state.landed.contains_key(signature);
        let mut logged = state.logged.iter().map(|(_, logged)| logged);
        Ok(logged.find(|logged| shown && logged.signature == *signature).cloned())
    }

    async fn statuses(
        &self,
        signatures: &[Signature],
        _search_history: bool,
        _since_slot: u64,
    ) -> Result<Vec<Sighting>, ChainError> {
        let state = self.answering("getSignatureStatuses")?;
        let status = |signature| {
            let (slot, error) = state.landed.get(signature)?.clone();
            Some(Status { slot, commitment: state.level, error })
        };
        Ok(signatures.iter().map(status).map(Sighting::from).collect())
    }

    async fn block_hash(&self, slot: u64) -> Result<[u8; 32], ChainError> {
        let state = self.answering("getBlock")?;
        let hash = state.block_hashes.get(&slot).copied();
        hash.ok_or_else(|| ChainError::answer("getBlock", format!("Block not available for slot {slot}")))
    }
}
