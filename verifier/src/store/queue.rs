//! What waits for its turn to be written: whoever has the turn takes it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// All clones are the same queue.
pub(super) struct Queue<T>(Arc<Mutex<Vec<T>>>);

impl<T> Queue<T> {
    /// Returns whether it is the first that waits: then nobody is on the way to write it.
    pub(super) fn push(&self, item: T) -> bool {
        let mut waiting = self.lock();
        waiting.push(item);
        waiting.len() == 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    pub(super) fn take_all(&self) -> Vec<T> {
        std::mem::take(&mut *self.lock())
    }

    /// The oldest, so many at most.
    pub(super) fn take(&self, most: usize) -> Vec<T> {
        let mut waiting = self.lock();
        let count = waiting.len().min(most);
        waiting.drain(..count).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        // Nothing that holds it can panic halfway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Queue").finish_non_exhaustive()
    }
}
