//! `cargo xtask test`: everything that can be tested here, and how much that was.

mod needed;
mod tally;

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use sha2::{Digest, Sha256};

use crate::steps::Steps;
use crate::toolchain::PROGRAM_ID;
use crate::{build, checkout, chromium, fault, idl, local, npm, postgres, python, simulate, validator};
use needed::Needed;
use tally::Tally;

/// Builds the program, finds or builds solana-test-validator, finds or installs Chromium, checks that the IDL is
/// current, then runs unit tests, the program's tests on LiteSVM, the HTTP tests (on SQLite and on PostgreSQL), the
/// end-to-end tests on the validator, the golden vectors in Python, and the tests of the TypeScript package. The last
/// line of standard output counts them; before it, lines that begin with `failed: ` name each failure and its cause.
/// With a filter, sets up only what those tests need.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only tests whose name contains this
    filter: Option<String>,
    /// Build the program for this address and test that [default: $X402_ESCROW_PROGRAM_ID, else the local clusters']
    #[arg(long, value_name = "ADDRESS")]
    program_id: Option<String>,
    /// Plays 100,000 random instructions against the reference model instead of 5,000, and kills processes as often as
    /// `cargo xtask fault --full`: hours
    #[arg(long)]
    full: bool,
}

const HTTP: &str = "http";
/// The tests that start a validator and the workspace's binaries.
const CLUSTER: &str = "cluster";
const CRASH_RUN: &str = "crash_run";
/// The test programs that put the on-chain program on a chain.
const ON_CHAIN: [&str; 5] = ["in_process", HTTP, CLUSTER, CRASH_RUN, "simulation"];

/// How many instructions the property test plays with `--full`.
const FULL_INSTRUCTIONS: &str = "100000";

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut steps = Steps::start();
    let mut tally = Tally::default();
    let outcome = all(arguments, &mut steps, &mut tally);
    eprintln!("{steps}");
    tally.failures().for_each(|line| println!("{line}"));
    println!("{} passed, {} failed", tally.passed, tally.failed);
    let broken = outcome?;
    ensure!(broken.is_empty() && tally.failed == 0, "failed: {}", broken.join(", "));
    Ok(())
}

/// Runs the tests, and returns which of the runners failed.
fn all(arguments: &Arguments, steps: &mut Steps, tally: &mut Tally) -> Result<Vec<&'static str>> {
    let root = checkout::root()?;
    let filter = arguments.filter.as_deref();
    let needed =
        steps.run("Compiling the tests (a first time some ten minutes)", || Needed::by(filter, &root))?;
    let places = steps.run("Making ready what they need", || places(arguments, &needed, &root))?;

    let mut broken = Vec::new();
    let mut runner = |title: &'static str, command: &mut Command| {
        if !run_tests(title, command, tally, steps)? {
            broken.push(title);
        }
        anyhow::Ok(())
    };
    let mut cargo = checkout::cargo()?;
    cargo.args(["test", "--workspace", "--locked", "--no-fail-fast"]).current_dir(&root);
    cargo.args(filter).envs(places.iter().cloned());
    cargo.env(simulate::RUNS_VARIABLE, simulate::RUNS.to_string());
    if arguments.full {
        cargo.env("X402_ESCROW_PROPERTY_INSTRUCTIONS", FULL_INSTRUCTIONS).envs(fault::FULL);
    }
    runner("cargo test", &mut cargo)?;
    // Again with the store in PostgreSQL, and what needs several verifiers over one.
    // Those over HTTP mostly wait: for the database's disk, and for time to pass.
    let threads = format!("--test-threads={}", 2 * thread::available_parallelism().map_or(1, usize::from));
    let mut again =
        vec![(HTTP, "", vec!["--include-ignored", &threads]), (CLUSTER, "end_to_end::", vec!["--ignored"])];
    again.retain(|(test, module, _)| needed.has(test, module));
    if !again.is_empty() {
        let server = postgres::Server::start()?;
        for (test, _, which) in again {
            let mut cargo = checkout::cargo()?;
            // Of the whole workspace, as above: a package alone is compiled with other features.
            cargo.args(["test", "--workspace", "--test", test, "--locked", "--"]).args(which);
            cargo.args(filter).current_dir(&root);
            cargo.envs(places.iter().cloned()).env("X402_TEST_POSTGRES", server.url());
            runner("on PostgreSQL", &mut cargo)?;
        }
    }
    if filter.is_none() {
        let mut python = Command::new(python_with_cryptography()?);
        python.arg(root.join("tests/golden_vectors.py")).current_dir(&root);
        runner("golden vectors in Python", &mut python)?;
        runner("the TypeScript package's tests", &mut npm::test()?)?;
    }
    Ok(broken)
}

/// Makes ready what the tests need, and says by environment variables where it is.
fn places(arguments: &Arguments, needed: &Needed, root: &Path) -> Result<Vec<(&'static str, OsString)>> {
    let mut places = Vec::new();
    if ON_CHAIN.iter().any(|program| needed.has(program, "")) {
        let id =
            build::run(&build::Arguments { program_id: arguments.program_id.clone(), ..Default::default() })?;
        places.push((PROGRAM_ID, OsString::from(id)));
    }
    if arguments.filter.is_none() {
        idl::run(&idl::Arguments { check: true })?;
    }
    if needed.has(CLUSTER, "") || needed.has(CRASH_RUN, "") {
        places.push(("X402_ESCROW_VALIDATOR", validator::locate_or_build()?.into()));
        local::build_programs()?;
    }
    let has_suites = needed.has(CLUSTER, "suites::");
    let has_pages = needed.has(CLUSTER, "browser::");
    if has_suites || has_pages || needed.has(CLUSTER, "typescript::") || needed.has(CLUSTER, "sandbox::") {
        npm::build()?;
    }
    if has_suites || needed.has(CLUSTER, "standard_clients::") {
        npm::install_standard_clients()?;
        places.push(("X402_ESCROW_CLIENTS_PYTHON", python_with_x402(root)?.into()));
    }
    if has_pages || needed.has(HTTP, "") {
        places.push(("X402_ESCROW_CHROMIUM", chromium::locate_or_install()?.into()));
    }
    Ok(places)
}

/// Runs a test runner, shows its output as it comes, counts what it says, and notes how long each test program took.
/// False if it failed.
fn run_tests(title: &str, command: &mut Command, tally: &mut Tally, steps: &mut Steps) -> Result<bool> {
    eprintln!("\n== Running {title}");
    let (output, writer) = io::pipe().context("a pipe for the runner's output")?;
    let both = writer.try_clone().context("a pipe for the runner's output")?;
    let mut child =
        command.stdin(Stdio::null()).stdout(writer).stderr(both).spawn().context(title.to_owned())?;
    // The pipe ends when nobody can write to it any more.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let (mut program, mut since) = (title.to_owned(), Instant::now());
    for line in BufReader::new(output).lines() {
        let line = line.context("reading the runner's output")?;
        println!("{line}");
        tally.read(&line);
        if let Some(started) = program_of(&line) {
            steps.add(&program, since.elapsed());
            (program, since) = (format!("{title}: {started}"), Instant::now());
        }
    }
    steps.add(&program, since.elapsed());
    Ok(child.wait().context("waiting for the runner")?.success())
}

/// The test program that cargo says it starts: `Running tests/http/main.rs (target/…)`, `Doc-tests x402_escrow_agent`.
fn program_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    match line.strip_prefix("Running ") {
        Some(rest) => {
            Some(rest.rsplit_once(" (")?.1.trim_end_matches(')').rsplit('/').next()?.rsplit_once('-')?.0)
        }
        None => line.starts_with("Doc-tests ").then_some(line),
    }
}

/// A Python that has the `cryptography` package.
fn python_with_cryptography() -> Result<PathBuf> {
    const VERSION: &str = "50.0.2";
    python::with(&format!("python-cryptography-{VERSION}"), |pip| {
        pip.arg(format!("cryptography=={VERSION}"));
    })
}

/// A Python that has the x402 client and all else that the tests' requirements name.
fn python_with_x402(root: &Path) -> Result<PathBuf> {
    let requirements = root.join("tests/clients/requirements.txt");
    let text = fs::read(&requirements).with_context(|| format!("reading {}", requirements.display()))?;
    let hash = format!("{:x}", Sha256::digest(&text));
    python::with(&format!("python-x402-{}", &hash[..12]), |pip| {
        pip.arg("--requirement").arg(&requirements);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_are_known_by_their_name() {
        let line = "     Running tests/http/main.rs (target/debug/deps/http-28e065a733f91902)";
        assert_eq!(program_of(line), Some("http"));
        assert_eq!(program_of("   Doc-tests x402_escrow_agent"), Some("Doc-tests x402_escrow_agent"));
        assert_eq!(program_of("running 3 tests"), None);
    }
}
