//! Configuration: a TOML file, and environment variables that override it. Every key is checked before anything
//! starts, and an error names all that are wrong. `docs/http-api.md` has the table. Uses the settings of `engine`, `store`
//! and `telemetry`, and `domain`.

mod check;
mod effective;
mod hosts;
mod keypair;
mod keys;
mod origins;
mod proxies;
mod secret;
mod source;
mod tokens;
mod urls;
mod webhook;

use std::{ffi::OsString, path::Path, time::Duration};

use solana_sdk::signer::keypair::Keypair;
use tracing_subscriber::EnvFilter;
use x402_escrow_domain::policy::Policies;
use x402_escrow_interface::Address;

use crate::{
    engine::app::{Deployment, Settings},
    store::Database,
    telemetry::LogFormat,
};

use keys::Keys;
use source::Source;

pub use keys::KEYS;
pub use source::ConfigError;

/// Everything that can be configured, checked.
#[derive(Debug)]
pub struct Config {
    /// Where to listen: address and port.
    pub listen: String,
    /// Where only the operator should be able to connect: address and port.
    pub operator_listen: Option<String>,
    /// The Solana nodes, at least one.
    pub rpc_urls: Vec<String>,
    /// How long to wait for an answer of the node.
    pub rpc_timeout: Duration,
    /// The cluster and the escrow program on it, as far as they are configured.
    pub deployment: Deployment,
    /// Where the store is.
    pub database: Database,
    /// Pays fees and rent.
    pub fee_payer: Keypair,
    /// Sign what names them, and are not announced any more.
    pub fee_payers_retiring: Vec<Keypair>,
    /// Sign nothing any more.
    pub fee_payers_cut_off: Vec<Address>,
    /// What is accepted, and how final it must be.
    pub policies: Policies,
    /// How the service runs.
    pub settings: Settings,
    /// Every key with the value that holds, as TOML. Without what may be secret in URLs.
    pub effective: String,
    /// Environment variables that look like the verifier's and set nothing.
    pub warnings: Vec<String>,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Which lines are logged.
    pub log_filter: EnvFilter,
}

/// Reads the configuration from `file`, if there is one, and from `variables`, the environment's.
///
/// # Errors
/// If the file can't be read, or keys are missing, unknown or wrong: the error has all of them.
pub fn read(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Config, ConfigError> {
    let mut source = Source::new(KEYS, file, variables)?;
    let keys = Keys::read(&mut source);
    let Source { mut error, warnings, .. } = source;
    let config = keys.and_then(|keys| check::check(keys, warnings, &mut error));
    config.filter(|_| error.problems.is_empty()).ok_or(error)
}
