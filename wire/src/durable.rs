//! Files that only their owner can read and that a crash leaves as they were before or after a
//! change. The only module that does I/O, shared by what keeps state: merchants and agents.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

/// Makes a folder that only its owner can use, unless it is there.
///
/// # Errors
/// If it can't be made, or something else has its name.
pub fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Keeps other processes and threads out until the result is dropped; waits for them. The system
/// unlocks it when the process ends, and on one volume this works among containers. What is locked
/// may be replaced, so the lock is on a file of its own.
///
/// # Errors
/// If the file can't be made or locked.
pub fn lock(path: &Path) -> io::Result<File> {
    let file = private(path, OpenOptions::new().write(true).create(true))?;
    file.lock()?;
    Ok(file)
}

/// The same, and `None` where somebody else has the lock.
///
/// # Errors
/// If the file can't be made or locked.
pub fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = private(path, OpenOptions::new().write(true).create(true))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Replaces a file in one step, and has it on disk before it returns. Needs a lock: the new file is
/// first written beside.
///
/// # Errors
/// If it can't be written; then the old one is there.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = path.with_added_extension("new");
    let mut file = private(&unfinished, OpenOptions::new().write(true).create(true).truncate(true))?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    sync_folder(path)
}

/// A file of JSON, one value a line. Needs a lock as long as it is used.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    file: File,
    /// How much of it is whole lines, in bytes.
    length: u64,
}

impl Lines {
    /// Opens the file, made if it isn't there, and reads it. A last line without its end was broken
    /// off by a crash, and is cut off.
    ///
    /// # Errors
    /// If the file can't be read or written, or a line before the last can't be read.
    pub fn open<T: DeserializeOwned>(path: PathBuf) -> io::Result<(Self, Vec<T>)> {
        let mut file = private(&path, OpenOptions::new().read(true).write(true).create(true))?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let whole = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let lines = content[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let read = |(number, line)| {
            serde_json::from_slice(line).map_err(|error| {
                let message = format!("line {} can't be read: {error}", number + 1);
                io::Error::new(io::ErrorKind::InvalidData, message)
            })
        };
        let lines = lines.enumerate().map(read).collect::<io::Result<Vec<T>>>()?;
        let length = whole as u64;
        if whole < content.len() {
            file.set_len(length)?;
        }
        file.sync_all()?;
        sync_folder(&path)?;
        Ok((Self { path, file, length }, lines))
    }

    /// How long it is, in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Adds lines, and has them on disk before it returns.
    ///
    /// # Errors
    /// If they can't be written; then none of them is there.
    pub fn append<T: Serialize>(&mut self, lines: &[T]) -> io::Result<()> {
        let content = json_lines(lines)?;
        // A failed append may have left something that it could not cut off.
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        let written = self.file.write_all(&content).and_then(|()| self.file.sync_data());
        if written.is_err() {
            // Whole lines of it would count at the next start.
            _ = self.file.set_len(self.length).and_then(|()| self.file.sync_data());
            return written;
        }
        self.length += content.len() as u64;
        Ok(())
    }

    /// Writes the whole file anew, in one step.
    ///
    /// # Errors
    /// If it can't be written; then it is as it was.
    pub fn replace<T: Serialize>(&mut self, lines: &[T]) -> io::Result<()> {
        let content = json_lines(lines)?;
        replace(&self.path, &content)?;
        self.file = private(&self.path, OpenOptions::new().read(true).write(true))?;
        self.length = content.len() as u64;
        Ok(())
    }
}

fn json_lines<T: Serialize>(lines: &[T]) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut content, line)?;
        content.push(b'\n');
    }
    Ok(content)
}

/// Opens a file that only its owner can read, also where it was there with another mode.
fn private(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(file)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests;
