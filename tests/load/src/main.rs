//! One part of a benchmark: it reads a line that says what to do, and writes one that says what came of it.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use serde::{Serialize, de::DeserializeOwned};
use x402_escrow_load::{crowding, holding, in_process, paying, peer, relaying, sending, settling, spreading};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    match env::args().nth(1).as_deref() {
        Some(sending::ROLE) => say(&sending::send(told()?)?),
        Some(in_process::ROLE) => say(&in_process::measure(told()?)?),
        Some(holding::ROLE) => say(&holding::hold(told()?)?),
        Some(crowding::ROLE) => say(&crowding::crowd(&told()?)?),
        Some(spreading::ROLE) => say(&spreading::spread(told()?)?),
        Some(settling::ROLE) => say(&settling::settle(told()?)?),
        Some(paying::ROLE) => say(&paying::pay(told()?)?),
        Some(relaying::ROLE) => say(&relaying::relay(told()?)?),
        Some(peer::ROLE) => peer::serve(told()?, say),
        other => bail!("{other:?} is no part: `cargo xtask bench load` starts this"),
    }
}

fn told<T: DeserializeOwned>() -> Result<T> {
    let mut line = String::new();
    io::stdin().read_line(&mut line).context("reading what to do")?;
    serde_json::from_str(&line).context("what to do")
}

fn say(said: &impl Serialize) -> Result<()> {
    writeln!(io::stdout().lock(), "{}", serde_json::to_string(said)?).context("saying what came of it")
}
