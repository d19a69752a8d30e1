//! The configuration that holds, as it is written, without its secrets.

use toml::{Table, Value};

use super::keys::Keys;
use crate::store::Database;

/// The keys with the values that hold, as TOML.
pub(super) fn effective(keys: &Keys) -> String {
    let mut table = Table::try_from(keys).unwrap_or_default();
    for key in ["rpc_url", "ws_url", "webhook_url", "deny_list"] {
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
