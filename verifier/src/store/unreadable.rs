//! Rows that can't be read: told apart from the database's failures, so that one of them stops nothing else.

use super::StoreError;

/// Rows, without those that can't be read.
#[derive(Clone, Debug)]
pub struct Readable<T> {
    /// The others.
    pub rows: Vec<T>,
    /// Those that can't be.
    pub unreadable: Vec<UnreadableRow>,
}

/// A row that can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableRow {
    /// Which, as `operation 5`.
    pub name: String,
    /// What is wrong with it.
    pub cause: String,
}

impl<T> Readable<T> {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self { rows: Vec::new(), unreadable: Vec::new() }
    }

    /// Takes in what became of reading the row with this name.
    ///
    /// # Errors
    /// If the database failed.
    pub(super) fn add(
        &mut self,
        name: impl FnOnce() -> String,
        read: Result<T, StoreError>,
    ) -> Result<(), StoreError> {
        match read {
            Ok(row) => self.rows.push(row),
            Err(error) if error.is_of_row() => {
                self.unreadable.push(UnreadableRow { name: name(), cause: error.to_string() });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl StoreError {
    /// Whether only a row is wrong, and not the database.
    pub fn is_of_row(&self) -> bool {
        matches!(self, Self::Unreadable { .. })
    }
}
