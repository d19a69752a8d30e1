//! A JSON file beside the session file that processes share: one at a time changes it, and a crash
//! leaves the old or the new state. Only its owner can read it.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};
use x402_escrow_wire::durable;

/// Where the state is kept.
#[derive(Clone, Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
}

impl StateFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The file of a session file with this extension added.
    pub(crate) fn beside(session_file: &Path, extension: &str) -> Self {
        Self::new(session_file.with_added_extension(extension))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps other processes and threads from changing the file until the result is dropped; waits
    /// for them. The lock is on a file of its own, since the state's file is replaced at every
    /// write. The system drops it with the process.
    pub(crate) fn lock(&self) -> io::Result<File> {
        durable::lock(&self.path.with_added_extension("lock"))
    }

    /// The state; the default where there is no file.
    pub(crate) fn read<T: DeserializeOwned + Default>(&self) -> io::Result<T> {
        match fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
            Err(error) => Err(error),
        }
    }

    /// Replaces the file in one step, and has it on disk before it returns. Needs the lock.
    pub(crate) fn write(&self, state: &impl Serialize) -> io::Result<()> {
        let mut content = serde_json::to_vec(state)?;
        content.push(b'\n');
        durable::replace(&self.path, &content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (tempfile::TempDir, StateFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = StateFile::beside(&folder.path().join("session.json"), "count");
        (folder, file)
    }

    #[test]
    fn reads_what_was_written_and_the_default_without_a_file() {
        let (folder, file) = file();
        assert_eq!(file.read::<u64>().unwrap(), 0);
        file.write(&7).unwrap();
        file.write(&8).unwrap();
        assert_eq!(file.read::<u64>().unwrap(), 8);
        assert_eq!(file.path(), folder.path().join("session.json.count"));
    }

    #[test]
    fn an_interrupted_write_leaves_the_old_state() {
        let (_folder, file) = file();
        file.write(&7).unwrap();
        fs::write(file.path().with_added_extension("new"), "{\"half\":").unwrap();
        assert_eq!(file.read::<u64>().unwrap(), 7);
        file.write(&8).unwrap();
        assert_eq!(file.read::<u64>().unwrap(), 8);
    }

    #[test]
    fn changes_of_many_threads_are_made_one_after_the_other() {
        let (_folder, file) = file();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        let _lock = file.lock().unwrap();
                        file.write(&(file.read::<u64>().unwrap() + 1)).unwrap();
                    }
                });
            }
        });
        assert_eq!(file.read::<u64>().unwrap(), 80);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, file) = file();
        let _lock = file.lock().unwrap();
        file.write(&1).unwrap();
        for path in [file.path().to_owned(), file.path().with_added_extension("lock")] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
