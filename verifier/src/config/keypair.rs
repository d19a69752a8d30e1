//! The fee payer's key, from a file as Solana's command line writes it.

use std::path::Path;

use solana_sdk::signer::keypair::{Keypair, read_keypair_file};

use super::secret;

/// Reads the key. Refuses a file that others than its owner can read or write.
pub(super) fn read(path: &Path) -> Result<Keypair, String> {
    let shown = path.display();
    secret::check(path, &format!("make one with `solana-keygen new --outfile {shown}`"))?;
    // The cause can quote the file; it is a secret.
    read_keypair_file(path).map_err(|_| {
        format!("{shown} is no keypair: 64 numbers as a JSON array, as `solana-keygen` writes it")
    })
}
