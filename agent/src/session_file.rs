//! What an agent needs to pay: a session's key and the facts that its signatures are bound to.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use x402_escrow_interface::receivers::{MAXIMUM_RECEIVERS, ReceiverList};
use x402_escrow_wire::{
    durable,
    text::{Base58, Key},
};

/// A session, as the owner hands it to the agent. Everything but the secret key is public; all of it is pinned: the
/// agent signs for nothing else.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionFile {
    /// The cluster, as a CAIP-2 id.
    pub network: String,
    /// The escrow program.
    pub program: Key,
    /// The escrow that the session spends from.
    pub escrow: Key,
    /// The escrow's token.
    pub mint: Key,
    /// The token's decimals.
    pub decimals: u8,
    /// The public key that the session was opened for.
    pub session_key: Key,
    /// The session's incarnation, read at commitment `confirmed` or better; all zero bytes until then.
    pub incarnation: Key,
    /// Last second of the session, unix.
    pub expires_at: i64,
    /// Base URL of the verifier that drafts this agent's intents.
    pub verifier: String,
    /// The only receivers that the session may pay, and without fees; empty for anyone. The chain has their list's root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receivers: Vec<Key>,
    /// The secret key (RFC 8032's 32-byte seed).
    pub secret_key: Base58<32>,
}

impl fmt::Debug for SessionFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SessionFile")
            .field("network", &self.network)
            .field("escrow", &self.escrow)
            .field("session_key", &self.session_key)
            .finish_non_exhaustive()
    }
}

/// Why a session file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SessionFileError {
    /// The file can't be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not a session file.
    #[error("{} is not a session file: {source}", path.display())]
    NotASession {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Other users of the machine can read the secret key.
    #[error("{0} can be read by others on this machine: chmod 600 {0}", path.display())]
    ReadableByOthers {
        /// The file.
        path: PathBuf,
    },
    /// The secret key is not the session key's.
    #[error("{}: secretKey does not belong to sessionKey", path.display())]
    WrongSecretKey {
        /// The file.
        path: PathBuf,
    },
    /// The session was not seen open.
    #[error(
        "{}: its session was not seen open. The owner completes it with the same agent session open command and file",
        path.display()
    )]
    NotOpen {
        /// The file.
        path: PathBuf,
    },
    /// No session can have so long a list.
    #[error("{}: receivers lists more than {MAXIMUM_RECEIVERS}", path.display())]
    TooManyReceivers {
        /// The file.
        path: PathBuf,
    },
}

impl SessionFile {
    /// Reads a session file.
    ///
    /// # Errors
    /// If it can't be read, is not a session file, can be read by others, its keys don't belong together, its list of
    /// receivers is too long, or the session was not seen open.
    pub fn read(path: &Path) -> Result<Self, SessionFileError> {
        let session = Self::read_unopened(path)?;
        if session.is_open() { Ok(session) } else { Err(SessionFileError::NotOpen { path: path.to_owned() }) }
    }

    /// The same, also of a session that was not seen open.
    ///
    /// # Errors
    /// Like [`Self::read`].
    pub fn read_unopened(path: &Path) -> Result<Self, SessionFileError> {
        let path = || path.to_owned();
        let failed = |source| SessionFileError::File { path: path(), source };
        let text = fs::read_to_string(path()).map_err(failed)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(path()).map_err(failed)?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(SessionFileError::ReadableByOthers { path: path() });
            }
        }
        let session: Self = serde_json::from_str(&text)
            .map_err(|source| SessionFileError::NotASession { path: path(), source })?;
        if session.signing_key().verifying_key().to_bytes() != session.session_key.0 {
            return Err(SessionFileError::WrongSecretKey { path: path() });
        }
        if !session.receivers.is_empty() && session.receiver_list().is_none() {
            return Err(SessionFileError::TooManyReceivers { path: path() });
        }
        Ok(session)
    }

    /// Writes a new file that only its owner can read. Never overwrites: the old file may hold the only copy of a key.
    ///
    /// # Errors
    /// If the file exists or can't be written.
    pub fn create(&self, path: &Path) -> Result<(), SessionFileError> {
        let failed = |source| SessionFileError::File { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        file.write_all(&self.to_json(path)?).and_then(|()| file.sync_all()).map_err(failed)
    }

    /// Replaces the file in one step: the owner's, once it has seen the session open.
    ///
    /// # Errors
    /// If the file can't be written; then it is as it was.
    pub fn replace(&self, path: &Path) -> Result<(), SessionFileError> {
        durable::replace(path, &self.to_json(path)?)
            .map_err(|source| SessionFileError::File { path: path.to_owned(), source })
    }

    fn to_json(&self, path: &Path) -> Result<Vec<u8>, SessionFileError> {
        let mut json = serde_json::to_vec_pretty(self)
            .map_err(|source| SessionFileError::NotASession { path: path.to_owned(), source })?;
        json.push(b'\n');
        Ok(json)
    }

    /// Whether its session was seen open.
    pub fn is_open(&self) -> bool {
        self.incarnation != Base58([0; 32])
    }

    /// The receivers that the session may pay; `None` for anyone.
    pub fn receiver_list(&self) -> Option<ReceiverList> {
        ReceiverList::new(self.receivers.iter().copied().map(Into::into).collect())
    }

    /// The key that signs intents.
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::from_bytes(&self.secret_key.0)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn session() -> SessionFile {
        let key = SigningKey::from_bytes(&[7; 32]);
        SessionFile {
            network: "solana:test".into(),
            program: x402_escrow_interface::deployment::LOCAL_PROGRAM_ID.into(),
            escrow: Base58([1; 32]),
            mint: Base58([2; 32]),
            decimals: 6,
            session_key: Base58(key.verifying_key().to_bytes()),
            incarnation: Base58([3; 32]),
            expires_at: 2_000_000_000,
            verifier: "http://127.0.0.1:1".into(),
            receivers: Vec::new(),
            secret_key: Base58(key.to_bytes()),
        }
    }

    #[test]
    fn round_trips_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.json");
        session().create(&path).unwrap();
        assert_eq!(SessionFile::read(&path).unwrap(), session());
        assert!(matches!(session().create(&path), Err(SessionFileError::File { .. })));
    }

    #[test]
    fn a_session_that_was_not_seen_open_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.json");
        let unopened = SessionFile { incarnation: Base58([0; 32]), ..session() };
        unopened.create(&path).unwrap();
        assert!(matches!(SessionFile::read(&path), Err(SessionFileError::NotOpen { .. })));
        assert_eq!(SessionFile::read_unopened(&path).unwrap(), unopened);
        session().replace(&path).unwrap();
        assert_eq!(SessionFile::read(&path).unwrap(), session());
    }

    #[test]
    fn list_of_receivers_is_optional_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.json");
        session().create(&path).unwrap();
        assert!(!fs::read_to_string(&path).unwrap().contains("receivers"));
        assert_eq!(session().receiver_list(), None);

        let receivers = |count: u16| {
            (0..count).map(|number| {
                let mut receiver = [0; 32];
                receiver[..2].copy_from_slice(&number.to_le_bytes());
                Base58(receiver)
            })
        };
        let listed = SessionFile { receivers: receivers(4096).collect(), ..session() };
        let path = folder.path().join("listed.json");
        listed.create(&path).unwrap();
        assert_eq!(SessionFile::read(&path).unwrap(), listed);
        assert_eq!(listed.receiver_list().unwrap().receivers().len(), 4096);

        let path = folder.path().join("long.json");
        SessionFile { receivers: receivers(4097).collect(), ..session() }.create(&path).unwrap();
        assert!(matches!(SessionFile::read(&path), Err(SessionFileError::TooManyReceivers { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.json");
        session().create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(SessionFile::read(&path), Err(SessionFileError::ReadableByOthers { .. })));
    }

    #[test]
    fn keys_that_do_not_belong_together_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.json");
        SessionFile { session_key: Base58([9; 32]), ..session() }.create(&path).unwrap();
        assert!(matches!(SessionFile::read(&path), Err(SessionFileError::WrongSecretKey { .. })));
    }

    #[test]
    fn secret_key_is_not_printed() {
        assert!(!format!("{:?}", session()).contains(&session().secret_key.to_string()));
    }
}
