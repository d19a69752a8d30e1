//! Open streamed holds, kept on disk: what was signed for each of them outlives the process.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use x402_escrow_wire::{
    payment::PaymentRequirements,
    text::{Decimal, Hex32, Key},
};

use crate::state_file::StateFile;

/// A hold that pays for many requests under one origin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stream {
    /// Scheme, host and port of what it pays for.
    pub origin: String,
    /// The hold's payment.
    pub payment_id: Hex32,
    /// Who is paid.
    pub pay_to: Key,
    /// What is held, in base units: the most that can be signed for.
    pub hold: Decimal,
    /// Last second at which it can be put on chain, unix.
    pub authorize_by: i64,
    /// Last second for captures, unix.
    pub capture_deadline: i64,
    /// The last voucher's amount, in base units.
    pub signed: Decimal,
    /// What was served of it, as far as the agent knows: less than `signed` where the last request was not answered.
    pub served: Decimal,
    /// What routes cost, by method and path.
    pub routes: BTreeMap<String, PaymentRequirements>,
    /// Whether nothing more is paid out of it, though it may be held until its deadline: the server says that it is
    /// over, and the verifier does not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
}

impl Stream {
    /// The amount of a voucher that pays `price` for one more request, in base units; `None` if the hold has not that
    /// much left or ends by `now` (unix seconds). A voucher that bought nothing yet is used again.
    pub fn next_amount(&self, price: u64, now: i64) -> Option<u64> {
        let amount = self.served.0.checked_add(price)?.max(self.signed.0);
        (amount <= self.hold.0 && now < self.capture_deadline).then_some(amount)
    }

    /// Whether the last voucher may have bought something or not.
    pub fn is_in_doubt(&self) -> bool {
        self.signed > self.served
    }

    /// What it locks at `now` (unix seconds) beyond what was signed for, in base units.
    pub fn locked(&self, now: i64) -> u64 {
        if now <= self.capture_deadline { self.hold.0.saturating_sub(self.signed.0) } else { 0 }
    }
}

/// The file of open holds.
#[derive(Clone, Debug)]
pub struct StreamsFile {
    file: StateFile,
}

/// The file can't be used, so nothing is signed.
#[derive(Debug, thiserror::Error)]
#[error("the file of streamed holds {}: {source}", path.display())]
pub struct StreamsError {
    path: PathBuf,
    source: io::Error,
}

/// A process's turn to pay a server out of its holds; ends when it is dropped.
#[derive(Debug)]
pub struct Turn {
    _lock: File,
}

impl StreamsFile {
    /// The holds at `path`; a file that doesn't exist has none.
    pub fn new(path: PathBuf) -> Self {
        Self { file: StateFile::new(path) }
    }

    /// Where the holds of a session file are kept: beside it.
    pub fn beside(session_file: &Path) -> Self {
        Self { file: StateFile::beside(session_file, "streams") }
    }

    /// All open holds.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn read(&self) -> Result<Vec<Stream>, StreamsError> {
        self.file.read().map_err(|source| self.failed(source))
    }

    /// Waits until nobody else, in any process, pays out of the holds under `origin`: each voucher needs the answer to
    /// the one before. Other origins wait for nothing.
    ///
    /// # Errors
    /// If the lock can't be taken.
    pub fn turn(&self, origin: &str) -> Result<Turn, StreamsError> {
        let name = hex::encode(&Sha256::digest(origin)[..8]);
        let of_origin = StateFile::new(self.file.path().with_added_extension(name));
        let lock = of_origin.lock().map_err(|source| self.failed(source))?;
        Ok(Turn { _lock: lock })
    }

    /// Puts a hold in, in place of what was known of it, and has it on disk before it returns.
    ///
    /// # Errors
    /// If the file can't be written; then nothing changed.
    pub fn put(&self, stream: Stream) -> Result<(), StreamsError> {
        self.change(|open| match open.iter_mut().find(|other| other.payment_id == stream.payment_id) {
            Some(known) => *known = stream,
            None => open.push(stream),
        })
    }

    /// Forgets a hold.
    ///
    /// # Errors
    /// If the file can't be written; then nothing changed.
    pub fn remove(&self, payment_id: Hex32) -> Result<(), StreamsError> {
        self.change(|open| open.retain(|stream| stream.payment_id != payment_id))
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Stream>)) -> Result<(), StreamsError> {
        let replaced = self.file.lock().and_then(|_lock| {
            let mut open: Vec<Stream> = self.file.read()?;
            change(&mut open);
            self.file.write(&open)
        });
        replaced.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> StreamsError {
        StreamsError { path: self.file.path().to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use x402_escrow_wire::text::Base58;

    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn stream(signed: u64, served: u64) -> Stream {
        Stream {
            origin: "https://a.test".into(),
            payment_id: Hex32([1; 32]),
            pay_to: Base58([2; 32]),
            hold: Decimal(1000),
            authorize_by: NOW + 60,
            capture_deadline: NOW + 600,
            signed: Decimal(signed),
            served: Decimal(served),
            routes: BTreeMap::new(),
            given_up: false,
        }
    }

    #[test]
    fn each_voucher_is_higher_by_the_price() {
        assert_eq!(stream(0, 0).next_amount(100, NOW), Some(100));
        assert_eq!(stream(300, 300).next_amount(100, NOW), Some(400));
    }

    #[test]
    fn a_voucher_that_bought_nothing_is_used_again() {
        assert_eq!(stream(400, 300).next_amount(100, NOW), Some(400));
        assert_eq!(stream(400, 300).next_amount(50, NOW), Some(400));
        assert_eq!(stream(400, 300).next_amount(150, NOW), Some(450));
    }

    #[test]
    fn nothing_above_the_hold_or_after_its_deadline_is_signed() {
        assert_eq!(stream(900, 900).next_amount(100, NOW), Some(1000));
        assert_eq!(stream(950, 950).next_amount(100, NOW), None);
        assert_eq!(stream(1, 1).next_amount(u64::MAX, NOW), None);
        assert_eq!(stream(0, 0).next_amount(1, NOW + 600), None);
    }

    #[test]
    fn what_was_signed_outlives_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let file = StreamsFile::beside(&folder.path().join("session.json"));
        file.put(stream(100, 0)).unwrap();
        file.put(stream(200, 100)).unwrap();
        let other = Stream { payment_id: Hex32([9; 32]), ..stream(0, 0) };
        file.put(other.clone()).unwrap();
        assert_eq!(file.read().unwrap(), [stream(200, 100), other.clone()]);
        file.remove(Hex32([1; 32])).unwrap();
        assert_eq!(file.read().unwrap(), [other]);
    }

    #[test]
    fn a_turn_is_for_one_origin() {
        let folder = tempfile::tempdir().unwrap();
        let file = StreamsFile::beside(&folder.path().join("session.json"));
        let first = file.turn("https://a.test").unwrap();
        let _other = file.turn("https://b.test").unwrap();
        let waiting = std::thread::spawn({
            let file = file.clone();
            move || file.turn("https://a.test").map(|_| ()).is_ok()
        });
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(first);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn what_is_signed_for_and_what_is_past_its_deadline_is_not_locked() {
        assert_eq!(stream(400, 300).locked(NOW + 600), 600);
        assert_eq!(stream(400, 300).locked(NOW + 601), 0);
    }

    #[test]
    fn a_damaged_file_stops_streaming() {
        let folder = tempfile::tempdir().unwrap();
        let file = StreamsFile::beside(&folder.path().join("session.json"));
        std::fs::write(file.file.path(), "[{").unwrap();
        assert!(file.put(stream(1, 0)).is_err());
    }
}
