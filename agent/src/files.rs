//! The files of an agent's state.

use std::path::Path;

use crate::{
    journal::Journal, nonces::NoncesFile, spending::SpendingFile, state_file::StateFile, stream::StreamsFile,
};

/// Everything that an agent keeps on disk. All that sign for one session must share it.
#[derive(Clone, Debug)]
pub struct StateFiles {
    /// Which nonces are used.
    pub nonces: NoncesFile,
    /// How much was signed for.
    pub spending: SpendingFile,
    /// Open streamed holds.
    pub streams: StreamsFile,
    /// Every purchase, from before it is signed.
    pub journal: Journal,
}

impl StateFiles {
    /// The files of a session file: they are beside it, with extensions added to its name.
    pub fn beside(session_file: &Path) -> Self {
        Self {
            nonces: NoncesFile::beside(session_file),
            spending: SpendingFile::beside(session_file),
            streams: StreamsFile::beside(session_file),
            journal: Journal::new(StateFile::beside(session_file, "journal")),
        }
    }
}
