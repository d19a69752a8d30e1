//! Signed captures and releases that the facilitator doesn't have yet. They are on disk before the response leaves,
//! and settled in the background until the facilitator has them or the capture deadline has passed.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::{error, info, warn};
use x402_escrow_wire::{
    error_code::ErrorCode, facilitator::SettleResponse, payment::PaymentRequirements, text::Hex32,
};

use super::{Inner, unix_seconds};

/// Time between two rounds in the background.
const INTERVAL: Duration = Duration::from_secs(5);

/// How many are settled at once. One after another they could miss their deadlines: while the cluster is congested, the
/// facilitator takes up to a minute for each.
const CONCURRENCY: usize = 16;

/// What a merchant signed after it served a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finalization {
    /// What the client accepted.
    pub requirements: PaymentRequirements,
    /// The signed capture or release.
    pub payload: Value,
    /// Last second for captures, unix.
    pub capture_deadline: i64,
}

/// Why the file can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the file of unsettled captures {}: {source}", path.display())]
pub struct UnsettledError {
    path: PathBuf,
    source: io::Error,
}

/// What is not settled yet, by payment.
pub struct Unsettled {
    path: PathBuf,
    /// Locked as long as this lives: two that write the file would lose each other's captures.
    _lock: File,
    entries: Mutex<BTreeMap<String, Finalization>>,
}

impl Unsettled {
    /// Reads the file; none is an empty one. Writes it back, so that a file that can't be written shows at once.
    ///
    /// # Errors
    /// If it can't be read or written, is damaged, or another merchant uses it.
    pub fn open(path: PathBuf) -> Result<Self, UnsettledError> {
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
    pub fn add(&self, payment_id: Hex32, finalization: Finalization) -> Result<(), UnsettledError> {
        self.change(|entries| _ = entries.insert(payment_id.to_string(), finalization))
    }

    /// Forgets a payment's finalization.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn remove(&self, payment_id: &str) -> Result<(), UnsettledError> {
        self.change(|entries| _ = entries.remove(payment_id))
    }

    /// Everything that is not settled.
    pub fn all(&self) -> BTreeMap<String, Finalization> {
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

/// Keeps other merchants away. The lock is on a file beside, since the file itself is replaced at every write.
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

/// Whether settling again can't change the answer any more. A payment that the facilitator doesn't know may be one
/// that it will know again once its database is back.
pub(super) fn is_decided(answer: &SettleResponse) -> bool {
    let open = [
        ErrorCode::SettlementPending,
        ErrorCode::UnexpectedSettleError,
        ErrorCode::UnexpectedVerifyError,
        ErrorCode::PaymentNotFound,
    ];
    answer.success || !open.iter().any(|code| answer.error_reason.as_deref() == Some(code.as_str()))
}

/// Settles what is left over, round after round, for as long as the merchant lives.
pub(super) async fn settle_again_and_again(merchant: Weak<Inner>) {
    loop {
        let Some(merchant) = merchant.upgrade() else { return };
        let payment_ids = stream::iter(merchant.unsettled.all().into_keys());
        payment_ids.for_each_concurrent(CONCURRENCY, |id| settle_again(Arc::clone(&merchant), id)).await;
        drop(merchant);
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn settle_again(merchant: Arc<Inner>, payment_id: String) {
    // A request that works on a payment ends it itself.
    let Some(_claim) = payment_id.parse().ok().and_then(|id| merchant.claim(id)) else { return };
    // Read only now: until it was claimed, a release may have become a capture.
    let Some(finalization) = merchant.unsettled.all().remove(&payment_id) else { return };
    // Past the deadline a release still goes through, and a capture that was sent before may have.
    let expired = unix_seconds() > finalization.capture_deadline.saturating_add(3600);
    let answer = merchant.facilitator.settle(finalization.payload, &finalization.requirements).await;
    match answer {
        Ok(answer) if answer.success => info!(payment_id, "settled payment {payment_id} after a retry"),
        Ok(answer) if is_decided(&answer) => {
            let reason = answer.error_reason.unwrap_or_default();
            error!(payment_id, reason, "payment {payment_id} can't be finalized: {reason}");
        }
        _ if expired => error!(payment_id, "payment {payment_id} could not be finalized before its deadline"),
        Ok(_) => return,
        Err(error) => return warn!(payment_id, %error, "payment {payment_id} is still to be finalized"),
    }
    if let Err(error) = merchant.unsettled.remove(&payment_id) {
        error!(payment_id, %error, "payment {payment_id} is settled and could not be taken off the list");
    }
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
