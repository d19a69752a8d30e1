//! Every purchase of an agent, on disk before it is signed: `docs/purchases.md` has the format.
//! Processes share the file; each locks it while it reads and appends.

mod entries;
#[cfg(test)]
pub(crate) mod fixture;

use std::{fs::File, io, path::PathBuf};

use x402_escrow_wire::{durable::Lines, purchase::buyer};

use crate::state_file::StateFile;
pub(crate) use entries::Entries;
use entries::Line;
pub use entries::{Purchase, Signed, purchase_id};

/// Below this many lines the file is never written anew.
const LINES_TO_KEEP: usize = 1000;

/// The file of purchases.
#[derive(Clone, Debug)]
pub struct Journal {
    file: StateFile,
}

/// The journal can't be read or written, so nothing is signed.
#[derive(Debug, thiserror::Error)]
#[error("the journal {}: {source}; nothing was signed", path.display())]
pub struct JournalError {
    path: PathBuf,
    source: io::Error,
}

/// The journal while nobody else uses it.
struct Opened {
    lines: Lines,
    entries: Entries,
    count: usize,
    _lock: File,
}

impl Journal {
    pub(crate) fn new(file: StateFile) -> Self {
        Self { file }
    }

    /// The last purchase with this key, this id, or of this payment.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn find(&self, name: &str) -> Result<Option<Purchase>, JournalError> {
        self.with(|opened| Ok(opened.entries.find(name).cloned()))
    }

    /// All purchases that are still open.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn unfinished(&self) -> Result<Vec<Purchase>, JournalError> {
        self.with(|opened| Ok(opened.entries.unfinished().cloned().collect()))
    }

    /// Writes a purchase down that is to be signed, durably, once `admit` agrees: nobody finds it, and may send it,
    /// before. `false` if its key has another that is not over.
    pub(crate) fn begin<E: From<JournalError>>(
        &self,
        purchase: &Purchase,
        now: i64,
        admit: impl FnOnce(&Entries) -> Result<(), E>,
    ) -> Result<bool, E> {
        let failed = |source| self.failed(source);
        let mut opened = self.open().map_err(failed)?;
        let of_key = purchase.key.as_deref().and_then(|key| opened.entries.of_key(key));
        if of_key.is_some_and(|other| other.state != buyer::Purchase::Over && other.id != purchase.id) {
            return Ok(false);
        }
        admit(&opened.entries)?;
        opened.compact(now).map_err(failed)?;
        opened.append(Line::signed(purchase)).map_err(failed)?;
        Ok(true)
    }

    /// Writes down what became of a purchase. One that is finished stays so.
    pub(crate) fn note(&self, id: &str, state: buyer::Purchase) -> Result<(), JournalError> {
        self.with(|opened| match opened.entries.find(id) {
            Some(purchase) if !purchase.is_finished() && purchase.state != state => {
                opened.append(Line::became(id, state))
            }
            _ => Ok(()),
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Opened) -> io::Result<T>) -> Result<T, JournalError> {
        self.open().and_then(|mut opened| work(&mut opened)).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> JournalError {
        JournalError { path: self.file.path().to_owned(), source }
    }

    fn open(&self) -> io::Result<Opened> {
        let lock = self.file.lock()?;
        let (lines, read) = Lines::open::<Line>(self.file.path().to_owned())?;
        let count = read.len();
        let mut entries = Entries::default();
        for line in read {
            entries.apply(line).map_err(|message| io::Error::new(io::ErrorKind::InvalidData, message))?;
        }
        Ok(Opened { lines, entries, count, _lock: lock })
    }
}

impl Opened {
    fn append(&mut self, line: Line) -> io::Result<()> {
        self.lines.append(std::slice::from_ref(&line))?;
        self.count += 1;
        self.entries.apply(line).map_err(io::Error::other)
    }

    /// Writes the file anew where most of it is out of date.
    fn compact(&mut self, now: i64) -> io::Result<()> {
        if self.count <= LINES_TO_KEEP {
            return Ok(());
        }
        let needed = self.entries.needed(now);
        if self.count > 2 * needed.len() { self.lines.replace(&needed) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
