//! `agent`: the command line for agents and the owners of their escrows.

mod amount;
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
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if json {
                println!("{}", serde_json::json!({ "error": format!("{error:#}") }));
            }
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
