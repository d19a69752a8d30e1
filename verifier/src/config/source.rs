//! Where keys come from.

use std::{fs, path::Path};

use toml::{Table, Value};

use super::{Config, Keys};
use crate::store::Database;

/// Environment variables that set a key are named by it: `X402_RPC_URL` sets `rpc_url`.
const PREFIX: &str = "X402_";

const KEYS: [&str; 34] = [
    "listen",
    "rpc_url",
    "ws_url",
    "rpc_timeout_seconds",
    "network",
    "database",
    "fee_payer",
    "finality",
    "capture_commitment",
    "minimum_authorize_seconds",
    "maximum_authorize_seconds",
    "minimum_capture_seconds",
    "maximum_capture_seconds",
    "maximum_refund_seconds",
    "exact_maximum_compute_units",
    "exact_maximum_compute_unit_price_micro_lamports",
    "settle_timeout_seconds",
    "status_poll_milliseconds",
    "review_seconds",
    "compute_unit_price_micro_lamports",
    "maximum_compute_unit_price_micro_lamports",
    "maximum_body_bytes",
    "minimum_fee_payer_lamports",
    "maximum_slot_age_seconds",
    "webhook_url",
    "webhook_secret",
    "minimum_hold_amount",
    "maximum_open_holds_per_escrow",
    "maximum_concurrent_requests",
    "requests_per_minute_per_client",
    "payments_per_minute_per_session",
    "trusted_proxies",
    "log_format",
    "log",
];

/// Keys whose values are text, whatever they look like.
const TEXT_KEYS: [&str; 11] = [
    "listen",
    "rpc_url",
    "ws_url",
    "network",
    "database",
    "fee_payer",
    "capture_commitment",
    "webhook_url",
    "webhook_secret",
    "log_format",
    "log",
];

/// Why the service can't be configured.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{path}: {message}")]
    File {
        /// The file.
        path: String,
        /// Why not.
        message: String,
    },
    /// A key is missing or has a value that can't be used.
    #[error("{key}: {message}")]
    Key {
        /// The key.
        key: String,
        /// What is wrong with it.
        message: String,
    },
}

impl ConfigError {
    pub(super) fn bad(key: &str, message: impl Into<String>) -> Self {
        let name = variable(key);
        Self::Key { key: format!("{key} (or {name})"), message: message.into() }
    }
}

fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase())
}

/// Reads the configuration from `file`, if there is one, and the environment, which `environment` looks up.
///
/// # Errors
/// If the file can't be read, or a key is missing, unknown or wrong.
pub fn read(
    file: Option<&Path>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    let mut table = file.map(read_file).transpose()?.unwrap_or_default();
    for key in KEYS {
        if let Some(text) = environment(&variable(key)) {
            table.insert(key.to_owned(), value(key, text));
        }
    }
    let keys: Keys = serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().message().trim().to_owned();
        let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        match missing {
            Some(key) if path == "." => ConfigError::bad(key, "is missing, and has no default"),
            _ => ConfigError::Key { key: path, message },
        }
    })?;
    keys.check()
}

/// The keys with the values that hold, as TOML.
pub(super) fn effective(keys: &Keys) -> String {
    let mut table = Table::try_from(keys).unwrap_or_default();
    for key in ["rpc_url", "ws_url", "webhook_url"] {
        if let Some(Value::String(urls)) = table.get_mut(key) {
            *urls = urls.split(',').map(without_secrets).collect::<Vec<_>>().join(",");
        }
    }
    if let Some(Value::String(database)) = table.get_mut("database")
        && let Ok(named) = database.parse::<Database>()
    {
        *database = named.to_string();
    }
    table.into_iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
}

/// User, path and query of an URL can be a secret.
fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, host) = match authority.rsplit_once('@') {
        Some((_, host)) => ("***@", host),
        None => ("", authority),
    };
    let rest = if matches!(rest, "" | "/") { rest } else { "/***" };
    format!("{scheme}://{user}{host}{rest}")
}

fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let failed = |message: String| ConfigError::File { path: path.display().to_string(), message };
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    text.parse().map_err(|error: toml::de::Error| failed(error.to_string()))
}

/// A variable's text as the file would have it: numbers and lists as TOML writes them.
fn value(key: &str, text: String) -> Value {
    if TEXT_KEYS.contains(&key) {
        return Value::String(text);
    }
    let line = format!("{key} = {text}");
    line.parse::<Table>().ok().and_then(|mut table| table.remove(key)).unwrap_or(Value::String(text))
}
