//! How much an agent has signed for, kept on disk so that a limit outlives the process.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use x402_escrow_wire::text::Decimal;

use crate::state_file::StateFile;

/// A count of everything signed for, in base units.
///
/// An intent counts in full from before its signature leaves: whoever has it can put it on chain. What is captured
/// can turn out to be less; the session's limits on chain give that back, this count does not.
#[derive(Clone, Debug)]
pub struct SpendingFile {
    file: StateFile,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Contents {
    /// Base units.
    signed_for: Option<Decimal>,
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

    /// Adds `amount` if the sum stays within `limit`, durably; otherwise changes nothing. Safe among processes.
    ///
    /// # Errors
    /// If the limit is reached, or the file can't be read or written.
    pub fn add(&self, amount: u64, limit: u64) -> Result<(), SpendingError> {
        let _lock = self.file.lock().map_err(|source| self.failed(source))?;
        let signed_for = self.signed_for()?;
        let sum = signed_for
            .checked_add(amount)
            .filter(|sum| *sum <= limit)
            .ok_or(SpendingError::LimitReached { limit, left: limit.saturating_sub(signed_for), amount })?;
        self.file.write(&Contents { signed_for: Some(Decimal(sum)) }).map_err(|source| self.failed(source))
    }

    /// All that was signed for, in base units.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn signed_for(&self) -> Result<u64, SpendingError> {
        let contents: Contents = self.file.read().map_err(|source| self.failed(source))?;
        Ok(contents.signed_for.map_or(0, |sum| sum.0))
    }

    fn failed(&self, source: io::Error) -> SpendingError {
        SpendingError::File { path: self.file.path().to_owned(), source }
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

    #[test]
    fn limit_can_be_met_and_not_exceeded() {
        let (_folder, file) = file();
        file.add(60, 100).unwrap();
        file.add(40, 100).unwrap();
        let error = file.add(1, 100).unwrap_err();
        assert!(matches!(error, SpendingError::LimitReached { limit: 100, left: 0, amount: 1 }), "{error}");
        assert_eq!(file.signed_for().unwrap(), 100);
    }

    #[test]
    fn sum_that_overflows_is_refused() {
        let (_folder, file) = file();
        file.add(u64::MAX, u64::MAX).unwrap();
        assert!(matches!(file.add(1, u64::MAX), Err(SpendingError::LimitReached { .. })));
    }

    #[test]
    fn damaged_file_stops_spending() {
        let (_folder, file) = file();
        std::fs::write(file.file.path(), "not json").unwrap();
        assert!(matches!(file.add(1, 100), Err(SpendingError::File { .. })));
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let (_folder, file) = file();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..10).for_each(|_| file.add(1, 1000).unwrap()));
            }
        });
        assert_eq!(file.signed_for().unwrap(), 80);
    }
}
