//! Keeps signed captures and releases on disk until the facilitator has them. The only module that
//! uses files.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use x402_escrow_wire::{payment::PaymentRequirements, text::Hex32};

/// What a merchant signed after it served a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Finalization {
    /// What the client accepted.
    pub(crate) requirements: PaymentRequirements,
    /// The signed capture or release.
    pub(crate) payload: Value,
    /// Last second for captures, unix.
    pub(crate) capture_deadline: i64,
}

/// Why the file can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the file of unsettled captures {}: {source}", path.display())]
pub struct UnsettledError {
    path: PathBuf,
    source: io::Error,
}

/// What is not settled yet, by payment.
pub(crate) struct Unsettled {
    path: PathBuf,
    /// Locked as long as this lives: two that write the file would lose each other's captures.
    _lock: File,
    entries: Mutex<BTreeMap<String, Finalization>>,
}

impl Unsettled {
    /// Reads the file; none is an empty one. Writes it back, so that a file that can't be written
    /// shows at once.
    ///
    /// # Errors
    /// If it can't be read or written, is damaged, or another merchant uses it.
    pub(crate) fn open(path: PathBuf) -> Result<Self, UnsettledError> {
        let opened = lock(&path).and_then(|lock| {
            let entries = read(&path)?;
            write(&path, &entries)?;
            Ok((lock, entries))
        });
        match opened {
            Ok((lock, entries)) => Ok(Self { path, _lock: lock, entries: Mutex::new(entries) }),
            Err(source) => Err(UnsettledError { path, source }),
        }
    }

    /// Keeps a finalization, durably.
    ///
    /// # Errors
    /// If the file can't be written.
    pub(crate) fn add(&self, payment_id: Hex32, finalization: Finalization) -> Result<(), UnsettledError> {
        self.change(|entries| _ = entries.insert(payment_id.to_string(), finalization))
    }

    /// Forgets a payment's finalization.
    ///
    /// # Errors
    /// If the file can't be written.
    pub(crate) fn remove(&self, payment_id: &str) -> Result<(), UnsettledError> {
        self.change(|entries| _ = entries.remove(payment_id))
    }

    /// Everything that is not settled.
    pub(crate) fn all(&self) -> BTreeMap<String, Finalization> {
        self.lock().clone()
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Finalization>)) -> Result<(), UnsettledError> {
        let mut entries = self.lock();
        let mut changed = entries.clone();
        change(&mut changed);
        write(&self.path, &changed).map_err(|source| UnsettledError { path: self.path.clone(), source })?;
        *entries = changed;
        Ok(())
    }

    /// The map is replaced whole, so a panic elsewhere leaves it usable.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Finalization>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps other merchants away. The lock is on a file beside, since the file itself is replaced at
/// every write.
fn lock(path: &Path) -> io::Result<File> {
    let file = File::create(path.with_added_extension("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(error)) => Err(error),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(
            io::ErrorKind::WouldBlock,
            "another merchant uses it; give each a file of its own",
        )),
    }
}

fn read(path: &Path) -> io::Result<BTreeMap<String, Finalization>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

/// Replaces the file in one step, and has it on disk before it returns.
fn write(path: &Path, entries: &BTreeMap<String, Finalization>) -> io::Result<()> {
    let unfinished = path.with_added_extension("new");
    let mut file = File::create(&unfinished)?;
    serde_json::to_writer(&mut file, entries)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use x402_escrow_wire::text::{Base58, Decimal};

    use super::*;

    fn finalization() -> Finalization {
        let requirements = PaymentRequirements {
            scheme: "auth-capture".into(),
            network: "solana:test".into(),
            amount: Decimal(1),
            asset: Base58([1; 32]),
            pay_to: Base58([2; 32]),
            max_timeout_seconds: 60,
            extra: serde_json::Map::new(),
        };
        Finalization { requirements, payload: json!({"type": "capture"}), capture_deadline: 1 }
    }

    #[test]
    fn outlives_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unsettled.json");
        let unsettled = Unsettled::open(path.clone()).unwrap();
        unsettled.add(Hex32([1; 32]), finalization()).unwrap();
        unsettled.add(Hex32([2; 32]), finalization()).unwrap();
        unsettled.remove(&Hex32([1; 32]).to_string()).unwrap();
        drop(unsettled);
        let again = Unsettled::open(path).unwrap().all();
        assert_eq!(again, BTreeMap::from([(Hex32([2; 32]).to_string(), finalization())]));
    }

    #[test]
    fn two_merchants_cannot_share_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unsettled.json");
        let first = Unsettled::open(path.clone()).unwrap();
        let error = Unsettled::open(path.clone()).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("another merchant"), "{error}");
        drop(first);
        assert!(Unsettled::open(path).is_ok());
    }

    #[test]
    fn damaged_file_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unsettled.json");
        fs::write(&path, "{").unwrap();
        assert!(Unsettled::open(path.clone()).is_err());
        assert_eq!(fs::read_to_string(path).unwrap(), "{");
    }
}
