//! A local cluster with all that a payment passes through, each as a process of its own: solana-test-validator, the
//! verifier, merchants, and the agent's command line. The demo and the end-to-end tests share it.

mod agent;
mod chain;
mod interruption;
pub mod parties;
mod process;
mod services;
mod validator;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
};

use anyhow::{Context, Result, ensure};
use solana_sdk::signature::{Keypair, Signer, write_keypair_file};
use tempfile::TempDir;
use x402_escrow_interface::Address;

pub use agent::Agent;
pub use chain::Chain;
pub use interruption::clean_up_when_interrupted;
pub use services::{Merchant, Verifier};
pub use validator::Validator;

/// Base units in one token of the local mint, which has USDC's 6 decimals.
pub const ONE_TOKEN: u64 = 1_000_000;

/// A running cluster with the escrow program and a mint. It ends with the last that uses it.
pub struct Local {
    /// The node, asked directly.
    pub chain: Chain,
    /// A token like USDC, of which [`Chain::faucet`] is the mint authority.
    pub mint: Address,
    /// Keys, databases and logs.
    folder: TempDir,
    validator: Arc<Validator>,
}

impl Local {
    /// Starts a validator with the program and makes the mint. `tell` is told what is being waited for.
    ///
    /// # Errors
    /// If a part is missing or doesn't start; the error says which, and shows the end of its log.
    pub fn start(tell: &dyn Fn(&str)) -> Result<Self> {
        let program = checkout().join("target/deploy/x402_escrow.so");
        ensure!(program.is_file(), "{} is missing: run `cargo xtask build`", program.display());
        let faucet = Keypair::new();
        tell("starting solana-test-validator with the escrow program");
        let validator = Validator::start(temporary_folder()?, &program, &faucet.pubkey())?;
        tell("making a token with 6 decimals");
        Self::on(Arc::new(validator), faucet)
    }

    /// The same cluster with another mint and folder, for those who want nothing to do with each other.
    ///
    /// # Errors
    /// If the mint can't be made.
    pub fn beside(&self) -> Result<Self> {
        Self::on(Arc::clone(&self.validator), self.chain.faucet.insecure_clone())
    }

    fn on(validator: Arc<Validator>, faucet: Keypair) -> Result<Self> {
        let chain = Chain::new(validator.rpc_url.clone(), faucet);
        let mint = chain.create_mint(6)?;
        Ok(Self { chain, mint, folder: temporary_folder()?, validator })
    }

    /// URL of the validator's JSON-RPC.
    pub fn rpc_url(&self) -> &str {
        &self.chain.rpc_url
    }

    /// The node.
    pub fn validator(&self) -> &Validator {
        &self.validator
    }

    /// Where keys, databases and logs are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A new key in a file that only we can read, as Solana's command line writes it.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn key_file(&self, name: &str) -> Result<(Keypair, PathBuf)> {
        let key = Keypair::new();
        let path = self.folder().join(format!("{name}.json"));
        write_keypair_file(&key, &path)
            .map_err(|error| anyhow::anyhow!("writing {}: {error}", path.display()))?;
        Ok((key, path))
    }
}

fn temporary_folder() -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("x402-escrow-").tempdir().context("a temporary folder")?;
    interruption::FOLDERS.lock().unwrap_or_else(PoisonError::into_inner).push(folder.path().to_owned());
    Ok(folder)
}

/// The root of this checkout.
pub fn checkout() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// A binary of the workspace, beside the one that runs.
///
/// # Errors
/// If it has not been built.
pub fn binary(name: &str) -> Result<PathBuf> {
    let running = std::env::current_exe().context("the running program's path")?;
    // target/debug/demo, or target/debug/deps/cluster-….
    let folder =
        running.ancestors().find(|folder| folder.join("deps").is_dir()).context("no target folder")?;
    let path = folder.join(name);
    ensure!(path.is_file(), "{} is missing: run `cargo build --workspace --bins --examples`", path.display());
    Ok(path)
}
