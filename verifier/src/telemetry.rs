//! How lines are logged, to standard error: never bodies, headers, queries or keys. Uses nothing of this crate.

use std::io::IsTerminal;

use serde::{Deserialize, Serialize};
use tracing::Metadata;
use tracing_subscriber::{
    EnvFilter,
    filter::{ParseError, filter_fn},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For machines.
    Json,
    /// For people.
    Text,
}

/// Checks which lines are to be logged, written as `tracing` has it: `info`, or `info,sqlx=warn`.
///
/// # Errors
/// If it can't be read.
pub fn filter(directives: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::try_new(directives)
}

/// Starts logging. Does nothing if that was done before.
pub fn init(format: LogFormat, filter: EnvFilter) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match format {
        LogFormat::Json => {
            builder.json().flatten_event(true).finish().with(filter_fn(shows_no_password)).try_init()
        }
        LogFormat::Text => builder.compact().finish().with(filter_fn(shows_no_password)).try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started before");
    }
}

/// Of a line of `~/.pgpass` that it can't read, sqlx logs all, which is or has a password.
fn shows_no_password(line: &Metadata<'_>) -> bool {
    line.target() != "sqlx_postgres::options::pgpass" || line.fields().field("line").is_none()
}
