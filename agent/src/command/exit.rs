//! How a command ended, for scripts.

use std::process::ExitCode;

use anyhow::Error;
use serde_json::{Value, json};
use x402_escrow_agent::{FetchError, session_file::SessionFileError};

use super::terminal::{self, escaped};

/// The exit code. 2 is a command that can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It is done; of `fetch`: the server served.
    Done = 0,
    /// It failed; of `fetch`: nothing was signed.
    Failed = 1,
    /// The server answered and did not serve. What was signed can still settle for a while.
    Refused = 3,
    /// A payment was sent, and nobody knows what became of it.
    Unknown = 4,
    /// The server served, and its answer was cut off.
    Truncated = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Prints why a command failed: an object for machines, a line for people.
pub(crate) fn print_error(error: &Error, json: bool) {
    let message = format!("{error:#}");
    if json {
        println!("{}", terminal::json(&json!({ "error": object(code(error), &message) })));
    }
    eprintln!("error: {}", escaped(&message));
}

/// The member `error`.
pub(super) fn object(code: &str, message: &str) -> Value {
    json!({ "code": code, "message": message })
}

pub(super) fn code(error: &Error) -> &'static str {
    let codes = error.chain().find_map(|cause| match cause.downcast_ref::<FetchError>() {
        Some(error) => Some(error.code()),
        None => cause.downcast_ref::<SessionFileError>().map(|_| "session_file"),
    });
    codes.unwrap_or("failed")
}
