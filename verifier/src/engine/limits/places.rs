//! How many may be at something at once: of each key, and all together.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Places, of which each key has so many at most.
#[derive(Debug)]
pub(super) struct Places<K: Hash + Eq + Copy>(Arc<Shared<K>>);

#[derive(Debug)]
struct Shared<K> {
    per_key: usize,
    overall: usize,
    taken: Mutex<Taken<K>>,
}

#[derive(Debug)]
struct Taken<K> {
    of_each: HashMap<K, usize>,
    overall: usize,
}

/// Which places are all taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// Those of the key.
    Key,
    /// All.
    Overall,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Held<K: Hash + Eq + Copy> {
    shared: Arc<Shared<K>>,
    key: K,
}

impl<K: Hash + Eq + Copy> Places<K> {
    pub(super) fn new(per_key: usize, overall: usize) -> Self {
        let taken = Mutex::new(Taken { of_each: HashMap::new(), overall: 0 });
        Self(Arc::new(Shared { per_key, overall, taken }))
    }

    /// Takes a place for `key`.
    ///
    /// # Errors
    /// If none is free.
    pub(super) fn take(&self, key: K) -> Result<Held<K>, Full> {
        let mut taken = self.0.lock();
        if taken.overall >= self.0.overall {
            return Err(Full::Overall);
        }
        let count = taken.of_each.get(&key).copied().unwrap_or(0);
        if count >= self.0.per_key {
            return Err(Full::Key);
        }
        taken.of_each.insert(key, count + 1);
        taken.overall += 1;
        Ok(Held { shared: Arc::clone(&self.0), key })
    }
}

impl<K> Shared<K> {
    fn lock(&self) -> MutexGuard<'_, Taken<K>> {
        // Nothing that holds it can panic halfway.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Copy> Drop for Held<K> {
    fn drop(&mut self) {
        let mut taken = self.shared.lock();
        taken.overall -= 1;
        if let Some(count) = taken.of_each.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                taken.of_each.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_share_of_the_places_and_all_have_no_more_than_there_are() {
        let places = Places::new(2, 3);
        let first = places.take('a').unwrap();
        let _second = places.take('a').unwrap();
        assert_eq!(places.take('a').unwrap_err(), Full::Key);
        let _other = places.take('b').unwrap();
        assert_eq!(places.take('c').unwrap_err(), Full::Overall);
        drop(first);
        let _third = places.take('a').unwrap();
        assert_eq!(places.0.lock().of_each.len(), 2);
    }

    #[test]
    fn a_key_without_places_is_forgotten() {
        let places = Places::new(1, 1);
        drop(places.take('a').unwrap());
        assert!(places.0.lock().of_each.is_empty());
        let _held = places.take('b').unwrap();
    }

    #[test]
    fn a_key_that_may_have_no_place_leaves_no_trace() {
        let places = Places::new(0, 5);
        for key in 'a'..'d' {
            assert_eq!(places.take(key).unwrap_err(), Full::Key);
        }
        let taken = places.0.lock();
        assert_eq!((taken.overall, taken.of_each.len()), (0, 0));
    }
}
