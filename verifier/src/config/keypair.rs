//! The fee payer's key, as Solana's command line writes it.

use std::path::Path;

use solana_sdk::signer::keypair::{Keypair, read_keypair};

use super::secret;

/// Reads the key of a file or an environment variable, see [`secret::read`].
pub(super) fn read(source: &Path) -> Result<Keypair, String> {
    let shown = source.display();
    let secret = secret::read(source, &format!("make one with `solana-keygen new --outfile {shown}`"))?;
    // The cause can quote it; it is a secret.
    read_keypair(&mut secret.as_slice()).map_err(|_| {
        format!("{shown} is no keypair: 64 numbers as a JSON array, as `solana-keygen` writes it")
    })
}
