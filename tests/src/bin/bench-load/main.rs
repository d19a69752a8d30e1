//! How much the verifier carries, beside what it is compared with: `cargo xtask bench load`.
//!
//! Every figure is a ratio of two things that were measured alternately in the same run. Reading order: a subject
//! (`vouchers`, `exact`, `growth`, and `holds` and `verifiers`, whose payers are in `market`) has its rounds measured by
//! `parts`, processes of `x402-escrow-load`; `figures` is what comes out, `baseline` (or `quick`, for what is measured in
//! CI) judges it, `page` shows it. Beside `verifiers`, `freezing` says who is frozen when, `audit` looks that nothing was
//! lost or paid twice, and `processor` and `write_lock` see where the time goes. A new subject is a file of its own, and a
//! line in `SUBJECTS`.

mod audit;
mod baseline;
mod exact;
mod figures;
mod freezing;
mod growth;
mod holds;
mod market;
mod page;
mod parts;
mod processor;
mod quick;
mod verifiers;
mod vouchers;
mod write_lock;

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Result, ensure};
use clap::Parser;
use figures::Figure;
use x402_escrow_tests::local::clean_up_when_interrupted;

/// Measures how much the verifier carries, beside what it is compared with.
#[derive(Parser)]
#[command(name = "bench-load")]
struct Arguments {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Fail if a target is missed, or a ratio is a quarter below tests/bench-load-baseline.json
    #[arg(long)]
    check: bool,
    /// Measure less than three minutes, and fail if a ratio is a quarter below tests/bench-load-quick-baseline.json
    #[arg(long, conflicts_with = "check")]
    quick: bool,
    /// Make these figures the baseline, and write them into docs/benchmarks.md
    #[arg(long)]
    write_baseline: bool,
    /// Measure only the subjects whose name contains this
    #[arg(long, default_value = "", conflicts_with = "write_baseline")]
    only: String,
}

/// How long is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How often each of the two is measured.
    pub(crate) rounds: usize,
    /// Before each measurement, not counted.
    pub(crate) warm_up: Duration,
    /// Each measurement.
    pub(crate) measured: Duration,
}

/// Measures one subject.
pub(crate) type Measure = fn(Plan) -> Result<Vec<Figure>>;

const SUBJECTS: [(&str, Measure); 8] = [
    (vouchers::SQLITE, vouchers::on_sqlite),
    (vouchers::POSTGRES, vouchers::on_postgres),
    (vouchers::IN_PROCESS, vouchers::in_process),
    (vouchers::READ, vouchers::read_and_checked),
    (holds::NAME, holds::measure),
    (verifiers::NAME, verifiers::measure),
    (exact::NAME, exact::measure),
    (growth::NAME, growth::measure),
];

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
    clean_up_when_interrupted()?;
    if arguments.quick {
        return quick::run(arguments);
    }
    // A baseline that can't be read is known before minutes of measuring.
    let before = if arguments.check { Some(baseline::read()?) } else { None };
    let plan = Plan { rounds: 3, warm_up: Duration::from_millis(500), measured: Duration::from_secs(6) };
    let mut measured = Vec::new();
    for (name, measure) in chosen(&SUBJECTS, &arguments.only)? {
        eprintln!("measuring {name}");
        measured.extend(measure(plan)?);
    }
    show(&measured, arguments.json)?;
    if arguments.write_baseline {
        baseline::write(&measured)?;
        page::write(&measured)?;
    }
    if let Some(before) = before {
        let checked = [baseline::check(&measured, &before), figures::check_targets(&measured)];
        let complaints: Vec<_> =
            checked.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
        ensure!(complaints.is_empty(), "{}", complaints.join("\n"));
    }
    Ok(())
}

/// The subjects whose name contains `only`.
pub(crate) fn chosen(
    subjects: &[(&'static str, Measure)],
    only: &str,
) -> Result<Vec<(&'static str, Measure)>> {
    let chosen: Vec<_> = subjects.iter().copied().filter(|(name, _)| name.contains(only)).collect();
    ensure!(!chosen.is_empty(), "no subject's name contains {only:?}");
    Ok(chosen)
}

/// Prints the figures, as JSON or as a table.
pub(crate) fn show(measured: &[Figure], as_json: bool) -> Result<()> {
    let mut output = io::stdout().lock();
    if as_json {
        writeln!(output, "{}", serde_json::to_string(measured)?)?;
    } else {
        write!(output, "{}", page::table(measured))?;
    }
    Ok(())
}
