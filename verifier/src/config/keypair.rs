//! The fee payers' keys, as Solana's command line writes them.

use std::path::{Path, PathBuf};

use solana_sdk::signer::{
    Signer,
    keypair::{Keypair, read_keypair},
};
use x402_escrow_interface::Address;

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

/// Reads several.
pub(super) fn read_all(sources: &[PathBuf]) -> Result<Vec<Keypair>, String> {
    sources.iter().map(|source| read(source)).collect()
}

/// What is wrong with keys that are to sign, and in which key of the configuration: one is there twice, or is cut off.
pub(super) fn conflict<'a>(
    signing: impl Iterator<Item = &'a Keypair>,
    cut_off: &[Address],
) -> Option<(&'static str, String)> {
    let mut known = Vec::new();
    for address in signing.map(Signer::pubkey) {
        if cut_off.contains(&address) {
            let problem = format!("{address} is cut off, and has a key that is to sign; take the key away");
            return Some(("fee_payers_cut_off", problem));
        }
        if known.contains(&address) {
            let problem = format!("{address} is there twice in `fee_payer` and `fee_payers_retiring`");
            return Some(("fee_payers_retiring", problem));
        }
        known.push(address);
    }
    None
}
