//! Keeps what a merchant knows of its purchases on disk, as `docs/purchases.md` describes it.
//! Uses files, which no other module does.
//!
//! - `book`, `charges`, `entry`, `change`, `due`: what is known, what changes it, and what is to be done by now
//! - `line`: how it is written

mod book;
mod change;
mod charges;
mod due;
mod entry;
mod line;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, oneshot};
use x402_escrow_wire::{
    claim::Claim,
    durable::{self, Lines},
};

pub(crate) use book::Book;
use change::Undo;
pub(crate) use change::{About, Change};
pub(crate) use due::CLOCK_TOLERANCE;
use line::Line;

/// A file below this is not written anew, in bytes.
const SMALL: u64 = 1024 * 1024;
/// A file is written anew once it is this many times as long as it was then.
const GROWTH: u64 = 4;

/// Why the record can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the merchant's record in {}: {source}", path.display())]
pub struct RecordError {
    path: PathBuf,
    source: io::Error,
}

/// A change did not take place.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum NotChanged {
    #[error(transparent)]
    Illegal(#[from] x402_escrow_wire::purchase::Illegal),
    /// It is taken back.
    #[error("the merchant's record could not be written: {0}")]
    NotWritten(Arc<io::Error>),
    #[error("the merchant is stopping")]
    Stopping,
}

/// What is known, and the file that has it.
pub(crate) struct Record {
    pub(crate) claim: Claim,
    known: Mutex<Known>,
    written: Arc<AsyncMutex<Written>>,
}

#[derive(Default)]
struct Known {
    book: Book,
    /// Changes that are to be written, in the order in which they were made.
    queue: Vec<Queued>,
}

/// A change that is to be written: how to take it back, and who waits for it.
type Queued = (Line, Undo, oneshot::Sender<Result<(), NotChanged>>);

struct Written {
    lines: Lines,
    /// How long the file was when it was written anew, in bytes.
    length: u64,
    /// Whether the file lacks something that is known.
    is_behind: bool,
    /// Locked as long as this lives.
    _lock: File,
}

impl Record {
    /// Opens the record in a folder, which is made if it isn't there.
    ///
    /// # Errors
    /// If it can't be read or written, is damaged, or another merchant uses it.
    pub(crate) fn open(folder: &Path, now: i64) -> Result<Self, RecordError> {
        Self::try_open(folder, now).map_err(|source| RecordError { path: folder.to_owned(), source })
    }

    fn try_open(folder: &Path, now: i64) -> io::Result<Self> {
        durable::create_folder(folder)?;
        let lock = durable::try_lock(&folder.join("lock"))?.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::WouldBlock,
                "another merchant uses it; stop that one, or give each a folder of its own",
            )
        })?;
        let (mut lines, read) = Lines::open::<Line>(folder.join("purchases.jsonl"))?;
        let claim = match read.first() {
            Some(first) => first.claim.ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "purchases.jsonl does not start with a claim")
            })?,
            None => new_claim()?,
        };
        let mut book = Book::default();
        read.iter().for_each(|line| book.read(line, now));
        book.crash();
        // Also shows at once whether it can be written.
        lines.replace(&book.lines(claim))?;
        let length = lines.length();
        let written = Written { lines, length, is_behind: false, _lock: lock };
        let known = Known { book, queue: Vec::new() };
        Ok(Self { claim, known: Mutex::new(known), written: Arc::new(AsyncMutex::new(written)) })
    }

    /// What is known. Not to be kept across waits.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Book) -> T) -> T {
        look(&mut self.lock().book)
    }

    /// Makes a change, and has it on disk before it returns where a crash must not lose it.
    ///
    /// # Errors
    /// If it can't happen, or can't be written; then nothing changed.
    pub(crate) async fn change(self: &Arc<Self>, change: Change, now: i64) -> Result<(), NotChanged> {
        let mut outcome = {
            let known = &mut *self.lock();
            let Some((line, undo)) = known.book.change(change, now)? else { return Ok(()) };
            let (sender, outcome) = oneshot::channel();
            known.queue.push((line, undo, sender));
            outcome
        };
        // One at a time writes, all that is there by then.
        let written = Arc::clone(&self.written).lock_owned().await;
        if let Ok(outcome) = outcome.try_recv() {
            return outcome;
        }
        let record = Arc::clone(self);
        let _ = tokio::task::spawn_blocking(move || record.flush(written)).await;
        outcome.await.unwrap_or(Err(NotChanged::Stopping))
    }

    fn flush(&self, mut written: OwnedMutexGuard<Written>) {
        let queue = std::mem::take(&mut self.lock().queue);
        let outcome = if written.is_behind {
            self.rewrite(&mut written)
        } else {
            let lines: Vec<&Line> = queue.iter().map(|(line, ..)| line).collect();
            written.lines.append(&lines)
        };
        let outcome = outcome.map_err(Arc::new);
        if outcome.is_err() {
            written.is_behind = true;
            let known = &mut *self.lock();
            queue.iter().rev().for_each(|(_, undo, _)| known.book.undo(undo));
        }
        for (_, _, sender) in queue {
            // Nobody waits for what a request that is gone wanted.
            _ = sender.send(outcome.clone().map_err(NotChanged::NotWritten));
        }
        let limit = SMALL.max(written.length.saturating_mul(GROWTH));
        if !written.is_behind && written.lines.length() > limit {
            written.is_behind = self.rewrite(&mut written).is_err();
        }
    }

    /// Writes the file anew, without what is out of date.
    fn rewrite(&self, written: &mut Written) -> io::Result<()> {
        let lines = self.lock().book.lines(self.claim);
        written.lines.replace(&lines)?;
        written.length = written.lines.length();
        written.is_behind = false;
        Ok(())
    }

    /// Each step leaves the book whole, whatever panics while it is locked.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn new_claim() -> io::Result<Claim> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(Claim(bytes))
}
