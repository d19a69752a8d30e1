//! The fee payer's key, from a file as Solana's command line writes it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use solana_sdk::signer::keypair::{Keypair, read_keypair_file};

/// Reads the key. Refuses a file that others than its owner can read or write.
pub(super) fn read(path: &Path) -> Result<Keypair, String> {
    let shown = path.display();
    let metadata = fs::metadata(path).map_err(|error| {
        format!("{shown} can't be read: {error}; make one with `solana-keygen new --outfile {shown}`")
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!("{shown} has mode {mode:03o}: others can use the key; `chmod 600 {shown}`"));
    }
    // The cause can quote the file; it is a secret.
    read_keypair_file(path).map_err(|_| {
        format!("{shown} is no keypair: 64 numbers as a JSON array, as `solana-keygen` writes it")
    })
}
