//! Open streamed holds, kept on disk: what was signed for each of them outlives the process.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
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
    /// Last second for captures, unix.
    pub capture_deadline: i64,
    /// The last voucher's amount, in base units.
    pub signed: Decimal,
    /// What was served of it, as far as the agent knows: less than `signed` where the last request was not answered.
    pub served: Decimal,
    /// What routes cost, by method and path.
    pub routes: BTreeMap<String, PaymentRequirements>,
}

impl Stream {
    /// The amount of a voucher that pays `price` for one more request, in base units; `None` if the hold has not that
    /// much left or ends by `now` (unix seconds). A voucher that bought nothing yet is used again.
    pub fn next_amount(&self, price: u64, now: i64) -> Option<u64> {
        let amount = self.served.0.checked_add(price)?.max(self.signed.0);
        (amount <= self.hold.0 && now < self.capture_deadline).then_some(amount)
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

    /// Takes the file for itself until the result is dropped, among all processes; waits for others.
    ///
    /// # Errors
    /// If the file can't be locked or read.
    pub fn lock(&self) -> Result<Streams, StreamsError> {
        let lock = self.file.lock().map_err(|source| self.failed(source))?;
        Ok(Streams { open: self.read()?, file: self.clone(), _lock: lock })
    }

    fn failed(&self, source: io::Error) -> StreamsError {
        StreamsError { path: self.file.path().to_owned(), source }
    }
}

/// The open holds, while nobody else changes them.
#[derive(Debug)]
pub struct Streams {
    file: StreamsFile,
    open: Vec<Stream>,
    _lock: File,
}

impl Streams {
    /// The hold that pays `pay_to` under `origin`.
    pub fn find(&self, origin: &str, pay_to: Key) -> Option<&Stream> {
        self.open.iter().find(|stream| stream.origin == origin && stream.pay_to == pay_to)
    }

    /// The hold that pays for a route under `origin`, if it did so before.
    pub fn find_route(&self, origin: &str, route: &str) -> Option<&Stream> {
        self.open.iter().find(|stream| stream.origin == origin && stream.routes.contains_key(route))
    }

    /// Puts a hold in, for the one to the same receiver under the same origin, and has it on disk before it returns.
    ///
    /// # Errors
    /// If the file can't be written; then nothing changed.
    pub fn put(&mut self, stream: Stream) -> Result<(), StreamsError> {
        self.change(|open| {
            open.retain(|other| other.origin != stream.origin || other.pay_to != stream.pay_to);
            open.push(stream);
        })
    }

    /// Forgets a hold.
    ///
    /// # Errors
    /// If the file can't be written; then nothing changed.
    pub fn remove(&mut self, payment_id: Hex32) -> Result<(), StreamsError> {
        self.change(|open| open.retain(|stream| stream.payment_id != payment_id))
    }

    fn change(&mut self, change: impl FnOnce(&mut Vec<Stream>)) -> Result<(), StreamsError> {
        let mut changed = self.open.clone();
        change(&mut changed);
        self.file.file.write(&changed).map_err(|source| self.file.failed(source))?;
        self.open = changed;
        Ok(())
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
            capture_deadline: NOW + 600,
            signed: Decimal(signed),
            served: Decimal(served),
            routes: BTreeMap::new(),
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
        let mut streams = file.lock().unwrap();
        streams.put(stream(100, 0)).unwrap();
        streams.put(stream(200, 100)).unwrap();
        drop(streams);
        assert_eq!(file.read().unwrap(), [stream(200, 100)]);
        let mut streams = file.lock().unwrap();
        streams.remove(Hex32([1; 32])).unwrap();
        assert_eq!(file.read().unwrap(), []);
    }

    #[test]
    fn a_damaged_file_stops_streaming() {
        let folder = tempfile::tempdir().unwrap();
        let file = StreamsFile::beside(&folder.path().join("session.json"));
        std::fs::write(file.file.path(), "[{").unwrap();
        assert!(file.lock().is_err());
    }
}
