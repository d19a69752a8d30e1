//! Chance that is the same for the same seed, and time that a test moves.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};

use crate::shared::lock;

/// SplitMix64.
#[derive(Clone)]
pub(super) struct Dice {
    state: Arc<Mutex<u64>>,
    now: Arc<AtomicI64>,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: Arc::new(Mutex::new(seed)), now: Arc::new(AtomicI64::new(1_700_000_000)) }
    }

    /// A number below `bound`.
    pub(super) fn below(&self, bound: u64) -> u64 {
        let state = &mut *lock(&self.state);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// True once in so many times.
    pub(super) fn once_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(super) fn pick<T: Copy>(&self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap_or(0)]
    }

    /// Lets others run for a while.
    pub(super) async fn pause(&self) {
        for _ in 0..self.below(4) {
            tokio::task::yield_now().await;
        }
    }

    /// Unix seconds.
    pub(super) fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }
}
