//! What is fetched or built once for all checkouts: one folder per part and version.

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// `$X402_ESCROW_CACHE`, else `$XDG_CACHE_HOME/x402-escrow`, else `~/.cache/x402-escrow`.
pub(crate) fn root() -> Result<PathBuf> {
    let from_variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = from_variable("X402_ESCROW_CACHE")
        .or_else(|| from_variable("XDG_CACHE_HOME").map(|cache| cache.join("x402-escrow")))
        .or_else(|| from_variable("HOME").map(|home| home.join(".cache/x402-escrow")))
        .context("no home folder: set X402_ESCROW_CACHE to a folder for the toolchain (about 1 GB)")?;
    std::path::absolute(cache).context("the cache folder's path")
}

/// The folder of a part, made by `make` if it is not there yet.
///
/// `make` gets an empty folder that takes the part's name only when it is complete, so a killed run leaves no
/// half-made part.
pub(crate) fn part(name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = root()?;
    let finished = cache.join(name);
    if finished.exists() {
        return Ok(finished);
    }
    let _lock = lock(&cache.join(format!("{name}.lock")))?;
    if finished.exists() {
        return Ok(finished);
    }
    let unfinished = cache.join(format!("{name}.partial"));
    remove_folder(&unfinished)?;
    create_folder(&unfinished)?;
    make(&unfinished)?;
    fs::rename(&unfinished, &finished).with_context(|| format!("renaming {}", unfinished.display()))?;
    Ok(finished)
}

/// Holds a lock file until the returned handle is dropped, which a killed process does too.
pub(crate) fn lock(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    let file = File::create(path).with_context(|| format!("opening {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => eprintln!("Waiting for another cargo xtask ({})", path.display()),
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("locking {}", path.display()));
        }
    }
    file.lock().with_context(|| format!("locking {}", path.display()))?;
    Ok(file)
}

/// Creates a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("creating {}", path.display()))
}

/// Removes a folder, if it is there.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}
