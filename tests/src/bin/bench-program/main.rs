//! What the program costs, measured by running it: `cargo xtask bench program`.
//!
//! Reading order: `accounts`, `payments` and `charges` measure each instruction on LiteSVM, `parts` what none can do without,
//! `transactions` a payment on its own, `packing` how many fit a transaction (`version_0`, `version_1`); `rent` what accounts
//! lock; `report` is what comes out, `targets`, `previous` and `baseline` judge it, `tables` shows it.

mod accounts;
mod baseline;
mod cast;
mod charges;
mod number;
mod packing;
mod parts;
mod payments;
mod peers;
mod previous;
mod rent;
mod report;
mod samples;
mod tables;
mod targets;
mod transactions;
mod version_0;
mod version_1;

use std::{
    fs,
    io::{self, Write},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context, Result};
use clap::Parser;
use report::{Report, Table};
use samples::Cases;
use version_0::Version0;
use version_1::Version1;
use x402_escrow_tests::{checkout_file, local};

/// Measures what the escrow program costs: on LiteSVM, and on solana-test-validator for transactions of version 1.
#[derive(Parser)]
#[command(name = "bench-program")]
struct Arguments {
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Fail if a figure is more than 3 % worse than the committed baseline's
    #[arg(long, conflicts_with = "write_baseline")]
    check: bool,
    /// Make these figures the baseline, and write them into docs/benchmarks.md
    #[arg(long)]
    write_baseline: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    // A baseline that can't be read is known before minutes of measuring.
    let before = if arguments.check { Some(baseline::read()?) } else { None };
    let report = measure()?;
    let mut output = io::stdout().lock();
    if arguments.json {
        writeln!(output, "{}", serde_json::to_string(&report)?)?;
    } else {
        for section in tables::sections(&report) {
            writeln!(output, "{}\n\n{}", section.name, section.table)?;
        }
    }
    if arguments.write_baseline {
        baseline::write(&report)?;
        eprintln!("Wrote {} and the tables of {}", baseline::BASELINE, baseline::PAGE);
    }
    if let Some(before) = before {
        eprintln!("{}", baseline::check(&report, &before)?);
    }
    Ok(())
}

fn measure() -> Result<Report> {
    let started = Instant::now();
    let tell = |text: &str| eprintln!("{:>6.1} s  {text}", started.elapsed().as_secs_f64());
    local::clean_up_when_interrupted()?;

    tell("running every instruction on LiteSVM");
    let mut cases = Cases::default();
    accounts::measure(&mut cases);
    payments::measure(&mut cases);
    charges::measure(&mut cases);
    let parts = parts::measure(&cases);
    tell("sending one payment in a transaction");
    let transactions = transactions::measure()?;
    tell("packing payments into transactions of version 0 on LiteSVM");
    let tables = [Table::None, Table::AllButHolds, Table::All];
    let mut version_0 = Version0::new();
    let mut packing = packing::measure(&mut version_0, &tables, &tell)?;
    let accounts = rent::accounts();
    let mut rents = vec![rent::of(&version_0, &accounts)?];
    let mut version_1 = Version1::new(&tell)?;
    tell("packing payments into transactions of version 1 on solana-test-validator");
    packing.extend(packing::measure(&mut version_1, &[Table::None], &tell)?);
    rents.push(rent::of(&version_1, &accounts)?);

    let program = checkout_file("target/deploy/x402_escrow.so");
    let program_bytes =
        fs::metadata(&program).with_context(|| format!("reading {}", program.display()))?.len();
    Ok(Report { program_bytes, parts, accounts, rents, instructions: cases.0, transactions, packing })
}
