//! The file with an agent's key.

use std::io::Write;

use tempfile::{NamedTempFile, tempdir};
use x402_escrow_agent::SessionFile;

pub fn run(data: &[u8]) -> bool {
    // Only its owner can read it, as the agent asks.
    let mut file = NamedTempFile::new().expect("a temporary file can be made");
    file.write_all(data).expect("a temporary file can be written");
    let session = match SessionFile::read(file.path()) {
        Ok(session) => session,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    assert_eq!(session.signing_key().verifying_key().to_bytes(), session.session_key.0);
    let folder = tempdir().expect("a temporary folder can be made");
    let copy = folder.path().join("session.json");
    session.create(&copy).expect("a new file can be written");
    assert_eq!(SessionFile::read(&copy).expect("what was written can be read"), session);
    true
}
