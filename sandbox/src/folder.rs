use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result, bail};

/// Folders that are to be removed.
static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Says that a folder is a sandbox's, and is locked as long as that runs.
const MARK: &str = ".x402-escrow-sandbox";

/// A folder that is removed when it is dropped.
pub(crate) struct Folder {
    path: PathBuf,
    /// Keeps others out of a folder whose name others know.
    _lock: Option<File>,
}

impl Folder {
    /// A new one among the system's temporary files.
    pub(crate) fn temporary() -> Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("x402-escrow-").tempdir().context("a temporary folder")?;
        Ok(Self::noted(folder.keep(), None))
    }

    /// An empty one at `path`. What a sandbox left there that was killed is removed.
    ///
    /// # Errors
    /// If another sandbox uses it, or it has files that are not a sandbox's.
    pub(crate) fn at(path: &Path) -> Result<Self> {
        let shown = path.display();
        let mark = path.join(MARK);
        let is_empty = fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none());
        if !is_empty && !mark.is_file() {
            bail!(
                "{shown} has files that no sandbox made, and would be removed in the end: name another folder"
            );
        }
        fs::create_dir_all(path).with_context(|| format!("creating {shown}"))?;
        let lock = File::create(&mark).with_context(|| format!("writing {}", mark.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "another sandbox runs in {shown}: use that one, stop it, or start with --free-ports beside it"
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", mark.display()));
            }
        }
        for entry in fs::read_dir(path).with_context(|| format!("reading {shown}"))? {
            let old = entry.with_context(|| format!("reading {shown}"))?.path();
            let removed = match old == mark {
                true => Ok(()),
                false if old.is_dir() => fs::remove_dir_all(&old),
                false => fs::remove_file(&old),
            };
            removed.with_context(|| format!("removing {}", old.display()))?;
        }
        Ok(Self::noted(path.to_owned(), Some(lock)))
    }

    /// A new one inside.
    pub(crate) fn inside(&self, name: &str) -> Result<Self> {
        let path = self.path.join(name);
        fs::create_dir(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self::noted(path, None))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn noted(path: PathBuf, lock: Option<File>) -> Self {
        FOLDERS.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        Self { path, _lock: lock }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Whoever made it can do nothing about what is left.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes those that are still there.
pub(crate) fn remove_all() {
    for folder in FOLDERS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let _ = fs::remove_dir_all(folder);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_files_of_others_is_left_alone() {
        let temporary = tempfile::tempdir().unwrap();
        let letter = temporary.path().join("letter.txt");
        fs::write(&letter, "dear").unwrap();
        let error = Folder::at(temporary.path()).err().unwrap().to_string();
        assert!(error.contains("has files that no sandbox made"), "{error}");
        assert!(letter.is_file());
    }

    #[test]
    fn a_folder_is_used_by_one_sandbox_and_emptied_for_the_next() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("sandbox");
        let folder = Folder::at(&path).unwrap();
        let error = Folder::at(&path).err().unwrap().to_string();
        assert!(error.contains("another sandbox runs in"), "{error}");
        // As if it had been killed: the files stay, the lock is gone.
        fs::write(path.join("session.json"), "{}").unwrap();
        folder.inside("validator").unwrap();
        let Folder { path: left, _lock } = &folder;
        _lock.as_ref().unwrap().unlock().unwrap();
        let next = Folder::at(left).unwrap();
        assert_eq!(fs::read_dir(next.path()).unwrap().count(), 1, "only the mark is there");
        drop(next);
        assert!(!path.exists());
    }
}
