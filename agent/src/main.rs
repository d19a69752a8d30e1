//! `agent`: the command line for agents and the owners of their escrows.

mod chain;
mod command;
mod owner;
mod problem;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match command::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let json = std::env::args_os().any(|argument| argument == "--json");
            return ExitCode::from(command::usage(&error, json) as u8);
        }
    };
    let json = arguments.json;
    let exit = command::run(arguments).await.unwrap_or_else(|error| command::print_error(&error, json));
    ExitCode::from(exit as u8)
}
