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
        Some(sending::ROLE) => say(&block_on(sending::send(told()?))?),
        Some(in_process::ROLE) => say(&in_process::measure(told()?)?),
        Some(in_process::READ_ROLE) => say(&in_process::measure_read(told()?)?),
        Some(holding::ROLE) => say(&block_on(holding::hold(told()?))?),
        Some(crowding::ROLE) => say(&block_on(crowding::crowd(&told()?))?),
        Some(spreading::ROLE) => say(&block_on(spreading::spread(told()?))?),
        Some(settling::ROLE) => say(&block_on(settling::settle(told()?))?),
        Some(paying::ROLE) => say(&block_on(paying::pay(told()?))?),
        Some(relaying::ROLE) => say(&block_on(relaying::relay(told()?))?),
        Some(peer::ROLE) => peer::serve(told()?, say),
        other => bail!("{other:?} is no part: `cargo xtask bench load` starts this"),
    }
}

fn block_on<T>(part: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(part)
}

fn told<T: DeserializeOwned>() -> Result<T> {
    let mut line = String::new();
    io::stdin().read_line(&mut line).context("reading what to do")?;
    serde_json::from_str(&line).context("what to do")
}

fn say(said: &impl Serialize) -> Result<()> {
    writeln!(io::stdout().lock(), "{}", serde_json::to_string(said)?).context("saying what came of it")
}
