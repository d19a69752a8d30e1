//! What is known of holds, in bounded memory: enough to judge a voucher without reading. It may be out of date, so what
//! is decided by it counts only if the row of the last voucher is still as it was.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use x402_escrow_interface::message::Digest;

use super::Standing;

/// How many holds are known at most. One takes less than a kilobyte.
const MOST: usize = 32_768;

/// A hold as it was read or written last.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// What a voucher is judged by.
    pub(super) standing: Standing,
    /// Its row's count of what was done with the payment; `None` if no voucher was kept yet.
    pub(super) version: Option<i64>,
    /// The payment's id as columns have it.
    pub(super) id: Arc<str>,
    /// How many claims were added since old ones were forgotten.
    pub(super) claims: u32,
}

/// The holds that were used last: those of the older half are forgotten when the newer one is full.
#[derive(Clone, Default)]
pub(in crate::store) struct Streams(Arc<Mutex<Halves>>);

#[derive(Default)]
struct Halves {
    newer: HashMap<Digest, Known>,
    older: HashMap<Digest, Known>,
}

impl Streams {
    /// What was last known.
    pub(super) fn get(&self, id: &Digest) -> Option<Known> {
        let mut halves = self.lock();
        if let Some(known) = halves.newer.get(id) {
            return Some(known.clone());
        }
        let known = halves.older.remove(id)?;
        halves.insert(*id, known.clone());
        Some(known)
    }

    /// Keeps what was written.
    pub(super) fn put(&self, known: Known) {
        self.lock().insert(known.standing.stream.id, known);
    }

    /// Keeps what was read, unless something newer is known.
    pub(super) fn see(&self, read: Known) {
        let age = |known: &Known| (known.version, known.standing.last);
        let id = read.standing.stream.id;
        if self.get(&id).is_none_or(|known| age(&known) < age(&read)) {
            self.put(read);
        }
    }

    /// Forgets a hold of which it is not known what was written.
    pub(super) fn forget(&self, id: &Digest) {
        let mut halves = self.lock();
        halves.newer.remove(id);
        halves.older.remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, Halves> {
        // Nothing that holds it can panic halfway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Halves {
    fn insert(&mut self, id: Digest, known: Known) {
        if self.newer.len() >= MOST / 2 {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(id, known);
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Streams").finish_non_exhaustive()
    }
}
