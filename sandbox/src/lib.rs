//! A local Solana cluster with all that a payment passes through, each part a process of its own:
//! solana-test-validator with the escrow program, a mint, the verifier, merchants, and the agent's
//! command line. `cargo xtask sandbox`, the demo and the end-to-end tests use it, and so can the
//! integration tests of others:
//!
//! ```no_run
//! use x402_escrow_sandbox::{Agent, Sandbox, Settings};
//!
//! # fn main() -> anyhow::Result<()> {
//! let sandbox = Sandbox::start(&Settings::default(), &|step| eprintln!("{step}"))?;
//! let agent = Agent::with_session(&sandbox.local, &sandbox.session_file);
//! let url = format!("{}/report?topic=wheat", sandbox.merchant.url);
//! let bought = agent.run(&["fetch", &url, "--max-amount", "0.25"])?;
//! assert_eq!(bought["payment"]["settlement"]["success"], true);
//! assert_eq!(sandbox.local.chain.tokens(&sandbox.merchant.address(), &sandbox.local.mint)?, 250_000);
//! # Ok(())
//! # }
//! ```
//!
//! Everything ends, and every file is removed, when the values are dropped. A program that a signal
//! may end calls [`clean_up_when_interrupted`] first. If the program itself is killed, its processes
//! end with it.
//!
//! It starts `solana-test-validator` from the `PATH` (or `X402_ESCROW_VALIDATOR`), and the programs
//! `verifier`, `agent` and `examples/merchant` from the folders that `X402_ESCROW_PROGRAMS` names,
//! else from cargo's target folder of the program that runs, else from the `PATH`. The escrow program
//! is the one in `target/deploy`, else the one that is committed with this crate.

mod agent;
mod chain;
mod folder;
mod interruption;
mod merchant;
pub mod parties;
mod places;
mod ports;
mod process;
mod sandbox;
mod validator;
mod verifier;
mod watchdog;

use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use solana_sdk::signature::{Keypair, Signer, write_keypair_file};
use x402_escrow_interface::{Address, deployment::LOCAL_PROGRAM_ID};

pub use agent::Agent;
pub use chain::{Chain, Grant};
pub use interruption::{clean_up_when_interrupted, end_everything, interruptions};
pub use merchant::Merchant;
pub use places::{binary, checkout};
pub use ports::{Ports, free_ports};
pub use sandbox::{Sandbox, Settings};
pub use validator::Validator;
pub use verifier::{Frozen, Verifier};

use folder::Folder;

/// Base units in one token of the local mint, which has USDC's 6 decimals.
pub const ONE_TOKEN: u64 = 1_000_000;

/// The decimals of the local mint.
pub const DECIMALS: u8 = 6;

/// How long a validator that is up may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The escrow program's address: `X402_ESCROW_PROGRAM_ID` where that is set, as for a program that was built for another
/// cluster, else a local cluster's.
///
/// # Panics
/// If the variable is no address.
pub fn program_id() -> Address {
    const VARIABLE: &str = "X402_ESCROW_PROGRAM_ID";
    match env::var(VARIABLE) {
        Ok(text) => {
            text.parse().unwrap_or_else(|_| panic!("{VARIABLE} is {text}: it must be an address in Base58"))
        }
        Err(_) => LOCAL_PROGRAM_ID,
    }
}

/// A running cluster with the escrow program and a mint. It ends with the last that uses it.
pub struct Local {
    /// The node, asked directly.
    pub chain: Chain,
    /// A token like USDC, of which [`Chain::faucet`] is the mint authority.
    pub mint: Address,
    validator: Arc<Validator>,
    /// Keys, databases and logs. Dropped after the processes that write there.
    folder: Folder,
}

impl Local {
    /// Starts a validator with the program on free ports and makes the mint. `tell` is told what is being waited for.
    ///
    /// # Errors
    /// If a part is missing or doesn't start; the error says which, and shows the end of its log.
    pub fn start(tell: &dyn Fn(&str)) -> Result<Self> {
        Self::start_in(None, Ports::Free, tell)
    }

    /// The same without a feature that a cluster gets by its account, as on a cluster that does not have it yet.
    ///
    /// # Errors
    /// Like [`Self::start`].
    pub fn start_without(feature: &Address, tell: &dyn Fn(&str)) -> Result<Self> {
        Self::start_cluster(None, Ports::Free, Some(feature), tell)
    }

    /// [`Self::start`] with other ports, and with the files in `folder`, which is removed at the end.
    ///
    /// # Errors
    /// Like [`Self::start`], and if a port is in use.
    pub fn start_in(folder: Option<&Path>, ports: Ports, tell: &dyn Fn(&str)) -> Result<Self> {
        Self::start_cluster(folder, ports, None, tell)
    }

    fn start_cluster(
        folder: Option<&Path>,
        ports: Ports,
        without: Option<&Address>,
        tell: &dyn Fn(&str),
    ) -> Result<Self> {
        let (folder, ledger) = match folder {
            Some(path) => {
                let folder = Folder::at(path)?;
                let ledger = folder.inside("validator")?;
                (folder, ledger)
            }
            None => (Folder::temporary()?, Folder::temporary()?),
        };
        let faucet = Keypair::new();
        tell("starting solana-test-validator with the escrow program");
        let program = places::escrow_program(ledger.path())?;
        let validator = Validator::start(ledger, &program, &faucet.pubkey(), ports, without)?;
        tell("making a token with 6 decimals");
        Self::on(Arc::new(validator), faucet, folder)
    }

    /// The same cluster with another mint and folder, for those who want nothing to do with each other.
    ///
    /// # Errors
    /// If the mint can't be made.
    pub fn beside(&self) -> Result<Self> {
        Self::on(Arc::clone(&self.validator), self.chain.faucet.insecure_clone(), Folder::temporary()?)
    }

    fn on(validator: Arc<Validator>, faucet: Keypair, folder: Folder) -> Result<Self> {
        let chain = Chain::new(validator.rpc_url.clone(), faucet);
        let mint = chain.create_mint(DECIMALS)?;
        Ok(Self { chain, mint, folder, validator })
    }

    /// URL of the validator's JSON-RPC.
    pub fn rpc_url(&self) -> &str {
        &self.chain.rpc_url
    }

    /// The node.
    pub fn validator(&self) -> &Validator {
        &self.validator
    }

    /// Starts the validator again after [`Validator::kill`], with the ledger that it finds.
    ///
    /// # Errors
    /// If it doesn't answer.
    pub fn restart_validator(&self) -> Result<()> {
        self.validator.restart()?;
        // The first request may go to a connection of before.
        let answers = || Ok(self.chain.slot().is_ok());
        self.chain.wait_until("the validator to answer", ANSWER_TIMEOUT, answers)
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
