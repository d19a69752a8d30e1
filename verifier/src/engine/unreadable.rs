//! Which rows of the store can't be read: they are left alone, and somebody must hear of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use crate::store::{Readable, UnreadableRow};

/// The rows that can't be read, as those that read them last found.
#[derive(Debug, Default)]
pub struct UnreadableRows(Mutex<BTreeMap<&'static str, BTreeSet<String>>>);

impl UnreadableRows {
    /// Takes out the rows that `reader` read, and takes down those that it could not. Logs what is new.
    pub fn note<T>(&self, reader: &'static str, read: Readable<T>) -> Vec<T> {
        self.take_down(reader, &read.unreadable);
        read.rows
    }

    fn take_down(&self, reader: &'static str, unreadable: &[UnreadableRow]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for UnreadableRow { name, cause } in unreadable {
            if !known.values().any(|names| names.contains(name)) {
                tracing::error!(row = name, %cause, "left alone: it can't be read");
            }
        }
        known.insert(reader, unreadable.iter().map(|row| row.name.clone()).collect());
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().flatten().collect::<BTreeSet<_>>().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_counts_once_and_until_nobody_finds_it_any_more() {
        let rows = UnreadableRows::default();
        let found = |names: &[&str]| Readable {
            rows: vec![1],
            unreadable: names
                .iter()
                .map(|name| UnreadableRow { name: (*name).to_owned(), cause: String::new() })
                .collect(),
        };
        assert_eq!(rows.note("one", found(&["a", "b"])), [1]);
        rows.note("other", found(&["b"]));
        assert_eq!(rows.count(), 2);
        rows.note("one", found(&[]));
        assert_eq!(rows.count(), 1);
    }
}
