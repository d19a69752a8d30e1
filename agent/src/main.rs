//! `agent`: the command line for agents and the owners of their escrows.

mod chain;
mod command;
mod owner;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = command::Arguments::parse();
    let json = arguments.json;
    match command::run(arguments).await {
        Ok(exit) => exit.into(),
        Err(error) => {
            command::print_error(&error, json);
            command::Exit::Failed.into()
        }
    }
}
