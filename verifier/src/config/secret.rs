//! Files that hold secrets.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// Refuses a file that others than its owner can read or write. `advice` says how to make one that isn't there.
pub(super) fn check(path: &Path, advice: &str) -> Result<(), String> {
    let shown = path.display();
    let metadata = fs::metadata(path).map_err(|error| format!("{shown} can't be read: {error}; {advice}"))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!("{shown} has mode {mode:03o}: others can use the key; `chmod 600 {shown}`"));
    }
    Ok(())
}
