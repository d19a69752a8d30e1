//! The nonces of an agent's intents, kept on disk: no two processes with one session file sign the
//! same nonce.
//!
//! A nonce is taken, durably, before the verifier is asked for a draft. It is free again at once if
//! nothing was signed, and a minute after the intent's authorize-by time if no answer said that it
//! was held; a held one is used for good. The agent never takes one that is more than 1,024 above
//! the highest that an answer to a signed payment showed to be used, since the program would refuse
//! it: this is the agent's own bound, which no verifier can move by refusing nonces.
//!
//! A session file that was used elsewhere, on another machine or with a lost file of nonces, starts
//! at 1 here. Nonces that the verifier says are used are dropped, in steps that double, so about
//! ten requests find the first that is free among 1,024. Where more are used, or servers said of so
//! many payments that they are held although none was, `agent session nonces` sets the next one by
//! hand or as the chain has it.

mod error;
mod state;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use rand_core::{OsRng, RngCore};
use x402_escrow_wire::text::{Decimal, Hex32};

use crate::{session_file::SessionFile, state_file::StateFile};
pub use error::NoncesError;
use state::{Nonces, NoneLeft, Outstanding};

/// The file of nonces; sessions that share it don't share nonces.
#[derive(Clone, Debug)]
pub struct NoncesFile {
    file: StateFile,
}

/// A session's part of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The highest nonce that is known to be used; 0 for none.
    pub highest_used: u64,
    /// The highest nonce that was ever taken; 0 for none.
    pub highest_taken: u64,
    /// Signed payments of which no answer said that they are held: nonce, payment, and until when
    /// they can be, unix.
    pub outstanding: Vec<(u64, Hex32, i64)>,
}

impl NoncesFile {
    /// The nonces at `path`; a file that doesn't exist has used none.
    pub fn new(path: PathBuf) -> Self {
        Self { file: StateFile::new(path) }
    }

    /// Where the nonces of a session file are kept: beside it.
    pub fn beside(session_file: &Path) -> Self {
        Self { file: StateFile::beside(session_file, "nonces") }
    }

    /// The nonces of `session`.
    pub fn of(&self, session: &SessionFile) -> SessionNonces {
        let session = format!("{}/{}", session.session_key, session.incarnation);
        SessionNonces { file: self.file.clone(), session }
    }
}

/// The nonces of one incarnation of one session.
#[derive(Clone, Debug)]
pub struct SessionNonces {
    file: StateFile,
    /// Its name in the file.
    session: String,
}

impl SessionNonces {
    /// Reads the session's part of the file.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn summary(&self) -> Result<Summary, NoncesError> {
        let mut all: BTreeMap<String, Nonces> = self.file.read().map_err(|source| self.failed(source))?;
        let nonces = all.remove(&self.session).unwrap_or_default();
        let outstanding = nonces.outstanding.iter().filter_map(|(nonce, outstanding)| match *outstanding {
            Outstanding::Signed { payment_id, authorize_by } => Some((nonce.0, payment_id, authorize_by)),
            Outstanding::Asked { .. } => None,
        });
        Ok(Summary {
            highest_used: nonces.highest_used.0,
            highest_taken: nonces.highest_taken.0,
            outstanding: outstanding.collect(),
        })
    }

    /// Goes on with `next`, as if all below it were used. What was signed stays outstanding until
    /// it expires.
    ///
    /// # Errors
    /// If the file can't be read or written.
    pub fn restart_at(&self, next: u64) -> Result<(), NoncesError> {
        self.change(|nonces| nonces.restart_at(next))
    }

    /// Takes the lowest free nonce above `above`, for a draft that is asked for at `now`.
    pub(crate) fn take(&self, above: u64, now: i64) -> Result<Taken, NoncesError> {
        let ticket = Decimal(OsRng.next_u64());
        let taken = self.change(|nonces| {
            nonces.take(above, ticket, now).map_err(|NoneLeft { free_at }| (nonces.bound(), free_at))
        })?;
        match taken {
            Ok(nonce) => Ok(Taken { nonces: self.clone(), nonce, ticket, is_open: true }),
            Err((bound, Some(free_at))) if above == 0 => {
                Err(NoncesError::Outstanding { bound, free_at, now })
            }
            Err((bound, _)) => Err(NoncesError::Refused { bound, path: self.file.path().to_owned() }),
        }
    }

    /// Notes that a payment is held. One that is not outstanding changes nothing.
    pub(crate) fn held(&self, payment_id: Hex32) -> Result<(), NoncesError> {
        self.change(|nonces| nonces.held(payment_id))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Nonces) -> T) -> Result<T, NoncesError> {
        self.try_change(change).map_err(|source| self.failed(source))
    }

    fn try_change<T>(&self, change: impl FnOnce(&mut Nonces) -> T) -> io::Result<T> {
        let _lock = self.file.lock()?;
        let mut all: BTreeMap<String, Nonces> = self.file.read()?;
        let nonces = all.entry(self.session.clone()).or_default();
        let before = nonces.clone();
        let result = change(nonces);
        if *nonces != before {
            self.file.write(&all)?;
        }
        Ok(result)
    }

    fn failed(&self, source: io::Error) -> NoncesError {
        NoncesError::File { path: self.file.path().to_owned(), source }
    }
}

/// A nonce that is this request's alone. Dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Taken {
    nonces: SessionNonces,
    nonce: u64,
    ticket: Decimal,
    /// Whether it is neither signed nor refused.
    is_open: bool,
}

impl Taken {
    pub(crate) fn nonce(&self) -> u64 {
        self.nonce
    }

    /// Notes, durably, that the payment is signed now. Before that its signature must not leave.
    pub(crate) fn sign(mut self, payment_id: Hex32, authorize_by: i64) -> Result<(), NoncesError> {
        let (nonce, ticket) = (self.nonce, self.ticket);
        let may_sign = self.nonces.change(|nonces| nonces.sign(nonce, ticket, payment_id, authorize_by))?;
        self.is_open = false;
        if may_sign { Ok(()) } else { Err(NoncesError::Late) }
    }

    /// Notes that the verifier says it is used.
    pub(crate) fn refuse(mut self) -> Result<(), NoncesError> {
        let (nonce, ticket) = (self.nonce, self.ticket);
        self.nonces.change(|nonces| nonces.refuse(nonce, ticket))?;
        self.is_open = false;
        Ok(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.is_open {
            // If this fails, the nonce is free again by itself once its time has passed.
            _ = self.nonces.change(|nonces| nonces.release(self.nonce, self.ticket));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, thread};

    use super::{state::DRAFT_SECONDS, *};
    use crate::session_file::tests::session;

    const NOW: i64 = 1_700_000_000;

    fn file() -> (tempfile::TempDir, NoncesFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = NoncesFile::beside(&folder.path().join("session.json"));
        (folder, file)
    }

    fn nonces() -> (tempfile::TempDir, SessionNonces) {
        let (folder, file) = file();
        (folder, file.of(&session()))
    }

    #[test]
    fn eight_threads_never_sign_the_same_nonce() {
        let (_folder, file) = file();
        let sign = |number: u8| {
            let nonces = file.of(&session());
            (0..20).map(move |index| {
                let taken = nonces.take(0, NOW).unwrap();
                let nonce = taken.nonce();
                // Every third is not signed, and goes to another.
                let mut id = [number; 32];
                id[0] = index;
                (index % 3 > 0).then(|| taken.sign(Hex32(id), NOW + 60).map(|()| nonce).unwrap())
            })
        };
        let signed: Vec<u64> = thread::scope(|scope| {
            let threads =
                (0..8).map(|number| scope.spawn(move || sign(number).flatten().collect::<Vec<_>>()));
            threads.collect::<Vec<_>>().into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(signed.len(), 8 * 13);
        assert_eq!(signed.iter().collect::<BTreeSet<_>>().len(), signed.len());
        assert!(signed.iter().max() <= Some(&(8 * 13 + 8)), "nothing is lost: {signed:?}");
    }

    #[test]
    fn nonces_outlive_the_process() {
        let (_folder, nonces) = nonces();
        nonces.take(0, NOW).unwrap().sign(Hex32([1; 32]), NOW + 60).unwrap();
        nonces.take(0, NOW).unwrap().sign(Hex32([2; 32]), NOW + 90).unwrap();
        nonces.held(Hex32([1; 32])).unwrap();
        let summary = nonces.summary().unwrap();
        assert_eq!((summary.highest_used, summary.highest_taken), (1, 2));
        assert_eq!(summary.outstanding, [(2, Hex32([2; 32]), NOW + 90)]);
        assert_eq!(nonces.take(0, NOW).unwrap().nonce(), 3);
    }

    #[test]
    fn a_crash_before_signing_keeps_the_nonce_until_its_draft_is_too_late() {
        let (_folder, nonces) = nonces();
        std::mem::forget(nonces.take(0, NOW).unwrap());
        assert_eq!(nonces.take(0, NOW + DRAFT_SECONDS).unwrap().nonce(), 2);
        assert_eq!(nonces.take(0, NOW + DRAFT_SECONDS + 1).unwrap().nonce(), 1);
    }

    #[test]
    fn a_draft_that_comes_too_late_is_not_signed() {
        let (_folder, nonces) = nonces();
        let late = nonces.take(0, NOW).unwrap();
        let next = nonces.take(0, NOW + DRAFT_SECONDS + 1).unwrap();
        assert_eq!(late.nonce(), next.nonce());
        assert!(matches!(late.sign(Hex32([1; 32]), NOW + 900), Err(NoncesError::Late)));
        next.sign(Hex32([2; 32]), NOW + 900).unwrap();
        assert_eq!(nonces.summary().unwrap().outstanding, [(1, Hex32([2; 32]), NOW + 900)]);
    }

    #[test]
    fn a_damaged_file_stops_payments_and_stays_as_it_is() {
        let (_folder, nonces) = nonces();
        for damaged in ["", "{", "[]", r#"{"a/b":{"highestUsed":"1"}}"#] {
            fs::write(nonces.file.path(), damaged).unwrap();
            let error = nonces.take(0, NOW).unwrap_err();
            assert!(matches!(error, NoncesError::File { .. }), "{error}");
            assert_eq!(fs::read_to_string(nonces.file.path()).unwrap(), damaged);
        }
    }

    #[test]
    fn sessions_that_share_a_file_share_no_nonces() {
        let (_folder, file) = file();
        let reopened = SessionFile { incarnation: x402_escrow_wire::text::Base58([9; 32]), ..session() };
        for session in [session(), reopened] {
            file.of(&session).take(0, NOW).unwrap().sign(Hex32([1; 32]), NOW).unwrap();
            assert_eq!(file.of(&session).summary().unwrap().highest_taken, 1);
        }
    }

    #[test]
    fn errors_say_how_long_to_wait_or_how_to_go_on() {
        let (_folder, nonces) = nonces();
        nonces.restart_at(u64::MAX).unwrap();
        nonces.take(0, NOW).unwrap().sign(Hex32([1; 32]), NOW + 100).unwrap();
        let outstanding = nonces.take(0, NOW).unwrap_err().to_string();
        assert!(outstanding.contains("Wait 161 s"), "{outstanding}");
        nonces.held(Hex32([1; 32])).unwrap();
        let refused = nonces.take(0, NOW).unwrap_err().to_string();
        assert!(refused.contains("--from-chain"), "{refused}");
    }
}
