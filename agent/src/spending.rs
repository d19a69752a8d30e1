//! How much an agent has paid or promised, kept on disk so that a limit outlives the process.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use x402_escrow_wire::text::{Decimal, Hex32};

use crate::state_file::StateFile;

/// How many payments may come to less than they count with.
const MAXIMUM_PROMISED: usize = 256;

/// A count of what was paid or is still promised, in base units.
///
/// An intent counts in full from before its signature leaves: whoever has it can put it on chain. Once the payment has
/// ended, it counts with what it came to.
#[derive(Clone, Debug)]
pub struct SpendingFile {
    file: StateFile,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Contents {
    /// All that counts, base units.
    signed_for: Option<Decimal>,
    /// Payments that count in full and may come to less.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    promised: BTreeMap<Hex32, Promise>,
}

/// A payment that may come to less than it was signed for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Promise {
    /// What was signed for, in base units.
    pub amount: Decimal,
    /// Last second at which it can be put on chain, unix.
    pub authorize_by: i64,
    /// Last second for captures, unix.
    pub capture_deadline: i64,
}

/// Why nothing may be signed.
#[derive(Debug, thiserror::Error)]
pub enum SpendingError {
    /// The limit would be exceeded.
    #[error(
        "the spending limit of {limit} base units leaves {left}, and this costs {amount}: raise the limit or wait"
    )]
    LimitReached {
        /// The limit, in base units.
        limit: u64,
        /// What is left of it, in base units.
        left: u64,
        /// What this would cost, in base units.
        amount: u64,
    },
    /// The file can't be read or written, so nothing is signed.
    #[error("the spending file {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl SpendingFile {
    /// The count at `path`; a file that doesn't exist counts 0.
    pub fn new(path: PathBuf) -> Self {
        Self { file: StateFile::new(path) }
    }

    /// Where the count of a session file is kept: beside it.
    pub fn beside(session_file: &Path) -> Self {
        Self { file: StateFile::beside(session_file, "spent") }
    }

    /// Counts a payment if the sum stays within `limit`, durably; otherwise changes nothing. Safe among processes. Without
    /// a limit nobody asks later what it came to.
    ///
    /// # Errors
    /// If the limit is reached, or the file can't be read or written.
    pub fn add(&self, payment_id: Hex32, promise: Promise, limit: Option<u64>) -> Result<(), SpendingError> {
        let _lock = self.file.lock().map_err(|source| self.failed(source))?;
        let mut contents = self.contents()?;
        let (counted, amount, is_limited) = (contents.counted(), promise.amount.0, limit.is_some());
        let limit = limit.unwrap_or(u64::MAX);
        let sum = counted
            .checked_add(amount)
            .filter(|sum| *sum <= limit)
            .ok_or(SpendingError::LimitReached { limit, left: limit.saturating_sub(counted), amount })?;
        contents.signed_for = Some(Decimal(sum));
        if is_limited {
            contents.promised.insert(payment_id, promise);
            contents.forget_oldest();
        }
        self.file.write(&contents).map_err(|source| self.failed(source))
    }

    /// Counts a payment that has ended with what it came to, once.
    ///
    /// # Errors
    /// If the file can't be read or written.
    pub fn settle(&self, payment_id: Hex32, paid: u64) -> Result<(), SpendingError> {
        let _lock = self.file.lock().map_err(|source| self.failed(source))?;
        let mut contents = self.contents()?;
        let Some(promise) = contents.promised.remove(&payment_id) else { return Ok(()) };
        let unpaid = promise.amount.0.saturating_sub(paid);
        contents.signed_for = Some(Decimal(contents.counted().saturating_sub(unpaid)));
        self.file.write(&contents).map_err(|source| self.failed(source))
    }

    /// Payments that count in full and may come to less.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn promised(&self) -> Result<BTreeMap<Hex32, Promise>, SpendingError> {
        Ok(self.contents()?.promised)
    }

    /// All that was paid or is still promised, in base units.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn signed_for(&self) -> Result<u64, SpendingError> {
        Ok(self.contents()?.counted())
    }

    fn contents(&self) -> Result<Contents, SpendingError> {
        self.file.read().map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> SpendingError {
        SpendingError::File { path: self.file.path().to_owned(), source }
    }
}

impl Contents {
    /// Lets the file grow no further: what is forgotten counts in full.
    fn forget_oldest(&mut self) {
        if self.promised.len() > MAXIMUM_PROMISED {
            let oldest = self.promised.iter().min_by_key(|(_, promise)| promise.capture_deadline);
            let oldest = oldest.map(|(payment_id, _)| *payment_id);
            oldest.and_then(|payment_id| self.promised.remove(&payment_id));
        }
    }

    fn counted(&self) -> u64 {
        self.signed_for.map_or(0, |sum| sum.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (tempfile::TempDir, SpendingFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = SpendingFile::beside(&folder.path().join("session.json"));
        (folder, file)
    }

    const ID: Hex32 = Hex32([1; 32]);

    fn promise(amount: u64) -> Promise {
        Promise { amount: Decimal(amount), authorize_by: 1, capture_deadline: 2 }
    }

    #[test]
    fn limit_can_be_met_and_not_exceeded() {
        let (_folder, file) = file();
        file.add(ID, promise(60), Some(100)).unwrap();
        file.add(Hex32([2; 32]), promise(40), Some(100)).unwrap();
        let error = file.add(Hex32([3; 32]), promise(1), Some(100)).unwrap_err();
        assert!(matches!(error, SpendingError::LimitReached { limit: 100, left: 0, amount: 1 }), "{error}");
        assert_eq!(file.signed_for().unwrap(), 100);
    }

    #[test]
    fn a_payment_that_ended_counts_with_what_it_came_to_and_once() {
        let (_folder, file) = file();
        file.add(ID, promise(60), Some(100)).unwrap();
        file.add(Hex32([2; 32]), promise(40), Some(100)).unwrap();
        for _ in 0..2 {
            file.settle(ID, 15).unwrap();
            assert_eq!(file.signed_for().unwrap(), 55);
        }
        // More than was signed for can't have been paid, and is not believed.
        file.settle(Hex32([2; 32]), 1000).unwrap();
        assert_eq!((file.signed_for().unwrap(), file.promised().unwrap().len()), (55, 0));
        file.add(ID, promise(45), Some(100)).unwrap();
    }

    #[test]
    fn sum_that_overflows_is_refused() {
        let (_folder, file) = file();
        file.add(ID, promise(u64::MAX), None).unwrap();
        let error = file.add(Hex32([2; 32]), promise(1), None);
        assert!(matches!(error, Err(SpendingError::LimitReached { .. })));
    }

    #[test]
    fn the_oldest_of_very_many_payments_count_in_full_for_ever() {
        let (_folder, file) = file();
        for number in 0..=256_u16 {
            let mut id = [0; 32];
            id[..2].copy_from_slice(&number.to_le_bytes());
            let capture_deadline = number.into();
            file.add(Hex32(id), Promise { capture_deadline, ..promise(1) }, Some(1000)).unwrap();
        }
        file.settle(Hex32([0; 32]), 0).unwrap();
        assert_eq!((file.signed_for().unwrap(), file.promised().unwrap().len()), (257, 256));
        file.add(ID, promise(1), None).unwrap();
        assert_eq!(file.promised().unwrap().len(), 256);
    }

    #[test]
    fn damaged_file_stops_spending() {
        let (_folder, file) = file();
        std::fs::write(file.file.path(), "not json").unwrap();
        assert!(matches!(file.add(ID, promise(1), Some(100)), Err(SpendingError::File { .. })));
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let (_folder, file) = file();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let file = &file;
                scope.spawn(move || {
                    (0..10).for_each(|number| {
                        file.add(Hex32([10 * thread + number; 32]), promise(1), Some(1000)).unwrap()
                    });
                });
            }
        });
        assert_eq!((file.signed_for().unwrap(), file.promised().unwrap().len()), (80, 80));
    }
}
