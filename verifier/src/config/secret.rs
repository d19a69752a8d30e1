//! Secrets: in a file, or in an environment variable where the system that starts the service puts them there.

use std::{env, fs, os::unix::fs::PermissionsExt, path::Path};

/// What a source starts with that is not a file: `env:NAME` is the environment variable `NAME`.
pub(super) const VARIABLE: &str = "env:";

/// Reads a secret. Refuses a file that others than its owner can read or write. `advice` says how to make one that isn't
/// there.
pub(super) fn read(source: &Path, advice: &str) -> Result<Vec<u8>, String> {
    let shown = source.display();
    if let Some(variable) = source.to_str().and_then(|source| source.strip_prefix(VARIABLE)) {
        // The cause quotes a value that is no text; it is a secret.
        return env::var(variable)
            .map(String::into_bytes)
            .map_err(|_| format!("the environment variable {variable:?} is not set, or is no text"));
    }
    let unreadable = |error| format!("{shown} can't be read: {error}; {advice}");
    let mode = fs::metadata(source).map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!("{shown} has mode {mode:03o}: others can use the key; `chmod 600 {shown}`"));
    }
    fs::read(source).map_err(unreadable)
}
