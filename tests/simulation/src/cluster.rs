//! The simulated cluster: blocks of real execution, forks, skipped slots, transactions that land late or never, and
//! nodes that lag, fail and lie.

mod access;
mod accounts;
mod blocks;
mod landed;
mod liar;
mod named;
mod node;
mod weather;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use litesvm::LiteSVM;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solana_sdk::{account::Account, transaction::VersionedTransaction};
use x402_escrow_interface::{Address, instruction::Signature};

use crate::clock::Time;

pub use access::Access;
pub use landed::{Landed, Rent};
pub use node::Node;
pub use weather::{Outage, Trouble, Weather};

use weather::Fate;

use blocks::Blocks;

/// The program that sets a transaction's budget, which has no account here.
pub const COMPUTE_BUDGET: Address = Address::from_str_const("ComputeBudget111111111111111111111111111111");

/// The cluster.
pub struct Cluster {
    state: Mutex<State>,
    time: Time,
}

struct State {
    blocks: Blocks,
    weather: Weather,
    dice: ChaCha8Rng,
    slot: u64,
    /// What is to land, by slot.
    mempool: BTreeMap<u64, Vec<VersionedTransaction>>,
    /// What is to land at the end of its blockhash's life, with the height from which it does.
    late: Vec<(u64, VersionedTransaction)>,
    /// What becomes of each transaction, however often it is sent.
    fates: HashMap<Signature, Fate>,
    /// The accounts that are there from the start.
    first: HashSet<Address>,
    /// The others that had bad luck.
    unlucky: HashSet<Address>,
    /// What each node shows.
    views: Vec<View>,
    counts: Counts,
}

/// How much happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Blocks that a fork took away.
    pub dropped_blocks: u64,
    /// Transactions in blocks of the chain or of a dropped fork.
    pub executed: u64,
    /// Transactions that no block will have by this sending.
    pub lost: u64,
    /// Calls that nodes failed.
    pub failed_calls: u64,
}

/// What a node shows.
#[derive(Clone, Debug, Default)]
struct View {
    /// Slots behind the newest.
    lag: u64,
    /// The heights that it has shown as confirmed and as final: neither goes back.
    confirmed: u64,
    finalized: u64,
}

impl Cluster {
    /// A cluster that starts with the accounts of `genesis`.
    pub fn new(genesis: LiteSVM, time: Time, weather: Weather, seed: u64) -> Arc<Self> {
        let views = vec![View::default(); weather.nodes];
        let state = State {
            dice: ChaCha8Rng::seed_from_u64(seed),
            slot: blocks::FIRST_SLOT,
            mempool: BTreeMap::new(),
            late: Vec::new(),
            fates: HashMap::new(),
            first: genesis.accounts_db().inner.keys().copied().chain([COMPUTE_BUDGET]).collect(),
            unlucky: HashSet::new(),
            blocks: Blocks::new(genesis, time.now()),
            views,
            counts: Counts::default(),
            weather,
        };
        Arc::new(Self { state: Mutex::new(state), time })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes blocks, for ever.
    pub async fn run(self: Arc<Self>) {
        let slot_time = Duration::from_millis(self.lock().weather.slot_milliseconds);
        loop {
            tokio::time::sleep(slot_time).await;
            let now = self.time;
            self.lock().next_slot(now);
        }
    }

    /// Puts a transaction before the leaders, as somebody who is not the verifier.
    pub fn submit(&self, transaction: VersionedTransaction) {
        self.lock().submit(transaction);
    }

    /// A recent blockhash.
    pub fn blockhash(&self) -> [u8; 32] {
        let state = self.lock();
        let height = state.blocks.confirmed();
        state.blocks.at(height).hash
    }

    /// An account in the newest block.
    pub fn account(&self, address: &Address) -> Option<Account> {
        let state = self.lock();
        state.blocks.account(address, state.blocks.tip())
    }

    /// Looks at every transaction on the chain, in order.
    pub fn history<T>(&self, look: impl FnOnce(&mut dyn Iterator<Item = &Landed>) -> T) -> T {
        look(&mut self.lock().blocks.history())
    }

    /// From now on nothing goes wrong.
    pub fn calm(&self) {
        self.lock().weather.calm();
    }

    /// Whether the cluster and its nodes work as they should at this moment.
    pub fn works(&self) -> bool {
        let now = self.time.elapsed();
        self.lock().weather.outage(now).is_none()
    }

    /// How much happened so far.
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// What is on the chain, in one number.
    pub fn digest(&self) -> [u8; 32] {
        let signatures: Vec<u8> = self.history(|landed| landed.flat_map(|landed| landed.signature).collect());
        solana_sdk::hash::hashv(&[&signatures]).to_bytes()
    }

    /// Where the chain is: its height, its slot and the hash of its newest block, which has all before it.
    pub fn place(&self) -> (u64, u64, [u8; 32]) {
        let state = self.lock();
        let tip = state.blocks.at(state.blocks.tip());
        (tip.height, tip.slot, tip.hash)
    }
}

impl State {
    fn submit(&mut self, transaction: VersionedTransaction) {
        let signature: Signature = transaction.signatures[0].into();
        let is_new = !self.fates.contains_key(&signature);
        if is_new {
            let fate = self.fate(&transaction);
            self.fates.insert(signature, fate);
        }
        let fate = self.fates[&signature];
        let after = self.weather.landing(&mut self.dice);
        match (fate, after) {
            (Fate::Prompt, Some(after)) => {
                self.mempool.entry(self.slot + after).or_default().push(transaction);
            }
            (Fate::Late, _) if is_new => {
                let hash = transaction.message.recent_blockhash().to_bytes();
                let height = self.blocks.height_of(&hash).unwrap_or_default();
                let early = self.dice.random_range(0..5);
                self.late.push((height + blocks::BLOCKHASH_BLOCKS - early, transaction));
            }
            _ => self.counts.lost += 1,
        }
    }

    /// What becomes of a transaction. Each account that is not there from the start, as a hold's, has bad luck once:
    /// nobody promises what lands where nothing does.
    fn fate(&mut self, transaction: &VersionedTransaction) -> Fate {
        let fate = self.weather.fate(&mut self.dice);
        let keys = transaction.message.static_account_keys();
        let own: Vec<Address> = keys.iter().filter(|key| !self.first.contains(*key)).copied().collect();
        if fate == Fate::Prompt || own.iter().any(|key| self.unlucky.contains(key)) {
            return Fate::Prompt;
        }
        self.unlucky.extend(own);
        fate
    }

    fn next_slot(&mut self, time: Time) {
        self.slot += 1;
        self.move_views();
        if self.weather.outage(time.elapsed()) == Some(Trouble::Halt) {
            return;
        }
        if self.dice.random_bool(self.weather.skip) {
            return;
        }
        if self.dice.random_bool(self.weather.fork) {
            self.fork();
        }
        let due: Vec<u64> = self.mempool.range(..=self.slot).map(|(slot, _)| *slot).collect();
        let taken: Vec<_> = due.into_iter().filter_map(|slot| self.mempool.remove(&slot)).flatten().collect();
        let mut taken = taken;
        let next = self.blocks.tip() + 1;
        taken.extend(self.late.extract_if(.., |(height, _)| *height <= next).map(|(_, late)| late));
        self.counts.executed += taken.len() as u64;
        self.blocks.push(self.slot, time.now(), taken, self.weather.consensus);
    }

    /// Drops blocks that are not confirmed. Most of their transactions come again.
    fn fork(&mut self) {
        let unconfirmed = self.blocks.tip() - self.blocks.confirmed();
        if unconfirmed == 0 {
            return;
        }
        let dropped = self.dice.random_range(1..=unconfirmed);
        for transaction in self.blocks.drop_newest(dropped) {
            let again = self.dice.random_bool(0.8);
            let after = self.dice.random_range(0..4);
            if again {
                self.mempool.entry(self.slot + after).or_default().push(transaction);
            }
        }
        self.counts.dropped_blocks += dropped;
    }

    fn move_views(&mut self) {
        for view in &mut self.views {
            let change = self.dice.random_bool(0.1);
            let lag = self.weather.lag(&mut self.dice);
            if change {
                view.lag = lag;
            }
        }
    }

    /// Heights that node `index` shows as processed, confirmed and final.
    fn heights(&mut self, index: usize) -> [u64; 3] {
        let view = &mut self.views[index];
        let processed = self.blocks.height_at(self.slot.saturating_sub(view.lag)).max(view.confirmed);
        let [confirmed, finalized] = weather::depths(self.weather.consensus);
        let tip_confirmed = self.blocks.confirmed();
        view.confirmed = view
            .confirmed
            .max(processed.saturating_sub(confirmed))
            .max(blocks::FIRST_HEIGHT)
            .min(tip_confirmed);
        view.finalized = view.finalized.max(processed.saturating_sub(finalized)).min(view.confirmed);
        [processed, view.confirmed, view.finalized]
    }
}

/// Where transactions are.
type Places = HashMap<Signature, (u64, usize)>;
