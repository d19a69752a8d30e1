//! How a command that failed is told of.

use anyhow::Error;
use serde_json::{Value, json};
use x402_escrow_agent::{FetchError, nonces::NoncesError, session_file::SessionFileError};
use x402_escrow_wire::amount::AmountError;

use super::terminal::{self, escaped};
use crate::problem::{Code, Exit, Problem};

/// Prints why a command failed: an object for machines, a line for people. Returns how it ends.
pub(crate) fn print_error(error: &Error, json: bool) -> Exit {
    let message = format!("{error:#}");
    let problem = problem(error);
    if json {
        println!("{}", terminal::json(&json!({ "error": problem.object(&message) })));
    }
    eprintln!("error: {}", escaped(&message));
    if let Some(remedy) = problem.what_to_do() {
        eprintln!("what to do: {}", escaped(remedy));
    }
    problem.exit()
}

/// Prints what is wrong with the arguments, as clap says it.
pub(crate) fn usage(error: &clap::Error, json: bool) -> Exit {
    if json && error.use_stderr() {
        let told = error.render().to_string();
        // The lines after the first name the arguments; then come an empty one and the usage.
        let lines: Vec<_> = told.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
        let message = lines.join(" ");
        let message = message.trim_start_matches("error: ");
        let problem =
            Problem::new(Code::InvalidArgument, message).named("usage").remedy("agent --help shows how");
        println!("{}", terminal::json(&json!({ "error": problem.object(message) })));
    }
    // Nothing can be done where it can't be printed.
    _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
}

/// The member `error`, where no more is known.
pub(super) fn object(code: &str, message: &str, retry: bool) -> Value {
    json!({ "code": code, "message": message, "field": null, "remedy": null, "retry": retry })
}

/// The problem that the error is, whatever it was wrapped in.
fn problem(error: &Error) -> Problem {
    let known = error.chain().find_map(|cause| {
        cause.downcast_ref::<Problem>().cloned().or_else(|| {
            if let Some(error) = cause.downcast_ref::<FetchError>() {
                Some(of_fetch(error))
            } else if cause.is::<SessionFileError>() {
                Some(Problem::new(Code::SessionFile, cause.to_string()).of("--session"))
            } else if cause.is::<NoncesError>() {
                Some(Problem::new(Code::SessionFile, cause.to_string()).named("nonces"))
            } else if cause.is::<AmountError>() {
                Some(Problem::new(Code::InvalidArgument, cause.to_string()))
            } else {
                None
            }
        })
    });
    known.unwrap_or_else(|| Problem::new(Code::Failed, error.to_string()))
}

/// The problem for a client error that no command has explained further.
fn of_fetch(error: &FetchError) -> Problem {
    let code = match error {
        FetchError::Unreachable { .. } => Code::VerifierUnreachable,
        FetchError::NoSuchKey { .. } => Code::NoSuchPurchase,
        _ => Code::Failed,
    };
    Problem::new(code, error.to_string()).named(error.code()).retry(error.is_worth_retrying())
}
