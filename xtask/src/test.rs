//! `cargo xtask test`: everything that can be tested here, and how much that was.

mod needed;

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Args;
use sha2::{Digest, Sha256};

use crate::toolchain::PROGRAM_ID;
use crate::{build, checkout, chromium, demo, fault, idl, npm, postgres, python, validator};
use needed::Needed;

/// Builds the program, finds or builds solana-test-validator, finds or installs Chromium, checks that the IDL is
/// current, then runs unit tests, the program's tests on LiteSVM, the HTTP tests (on SQLite and on PostgreSQL), the
/// end-to-end tests on the validator, the golden vectors in Python, and the tests of the TypeScript package. The last
/// line of standard output counts them. With a filter, makes ready only what the tests it names need.
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
const END_TO_END: &str = "end_to_end";
const STANDARD_CLIENTS: &str = "standard_clients";
/// The test programs that start a validator, the workspace's binaries and the TypeScript package.
const LOCAL_CLUSTER: [&str; 4] = [END_TO_END, "crash_run", STANDARD_CLIENTS, "typescript"];

/// How many instructions the property test plays with `--full`.
const FULL_INSTRUCTIONS: &str = "100000";

/// How many tests passed and failed.
#[derive(Default, Debug, PartialEq)]
struct Tally {
    passed: u64,
    failed: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = checkout::root()?;
    let program_id =
        build::run(&build::Arguments { program_id: arguments.program_id.clone(), ..Default::default() })?;
    let needed = Needed::by(arguments.filter.as_deref(), &root)?;
    if arguments.filter.is_none() {
        idl::run(&idl::Arguments { check: true })?;
    }
    let mut places = vec![(PROGRAM_ID, OsString::from(program_id))];
    if needed.any(&LOCAL_CLUSTER) {
        places.push(("X402_ESCROW_VALIDATOR", validator::locate_or_build()?.into()));
        demo::build_binaries()?;
        npm::build()?;
    }
    if needed.any(&[STANDARD_CLIENTS]) {
        npm::install_standard_clients()?;
        places.push(("X402_ESCROW_CLIENTS_PYTHON", python_with_x402(&root)?.into()));
    }
    if needed.any(&[HTTP]) {
        places.push(("X402_ESCROW_CHROMIUM", chromium::locate_or_install()?.into()));
    }

    let mut tally = Tally::default();
    let mut broken = Vec::new();
    let mut cargo = checkout::cargo()?;
    cargo.args(["test", "--workspace", "--locked", "--no-fail-fast"]).current_dir(&root);
    cargo.args(arguments.filter.as_deref()).envs(places.iter().cloned());
    if arguments.full {
        cargo.env("X402_ESCROW_PROPERTY_INSTRUCTIONS", FULL_INSTRUCTIONS).envs(fault::FULL);
    }
    if !tally.add_output_of("cargo test", &mut cargo)? {
        broken.push("cargo test");
    }
    // Again with the store in PostgreSQL, and what needs several verifiers over one.
    let again = [
        ("the HTTP tests on PostgreSQL", "x402-escrow-verifier", HTTP, "--include-ignored"),
        ("the end-to-end tests on PostgreSQL", "x402-escrow-tests", END_TO_END, "--ignored"),
    ];
    let server = if needed.any(&[HTTP, END_TO_END]) { Some(postgres::Server::start()?) } else { None };
    for (title, package, test, which) in again {
        let Some(server) = server.as_ref().filter(|_| needed.any(&[test])) else { continue };
        let mut cargo = checkout::cargo()?;
        cargo.args(["test", "--package", package, "--test", test, "--locked", "--", which]);
        cargo.args(arguments.filter.as_deref()).current_dir(&root);
        cargo.envs(places.iter().cloned()).env("X402_TEST_POSTGRES", server.url());
        if !tally.add_output_of(title, &mut cargo)? {
            broken.push(title);
        }
    }
    drop(server);
    if arguments.filter.is_none() {
        let mut python = Command::new(python_with_cryptography()?);
        python.arg(root.join("tests/golden_vectors.py")).current_dir(&root);
        if !tally.add_output_of("golden vectors in Python", &mut python)? {
            broken.push("golden vectors in Python");
        }
        if !tally.add_output_of("the TypeScript package's tests", &mut npm::test()?)? {
            broken.push("the TypeScript package's tests");
        }
    }

    println!("{} passed, {} failed", tally.passed, tally.failed);
    ensure!(tally.passed + tally.failed > 0, "no test has this in its name");
    ensure!(broken.is_empty() && tally.failed == 0, "failed: {}", broken.join(", "));
    Ok(())
}

impl Tally {
    /// Runs a test runner, shows its output as it comes, and counts from its closing lines. False if it failed.
    fn add_output_of(&mut self, title: &str, command: &mut Command) -> Result<bool> {
        eprintln!("Running {title}");
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context(title.to_owned())?;
        let output = child.stdout.take().context("the runner's output is not readable")?;
        for line in BufReader::new(output).lines() {
            let line = line.context("reading the runner's output")?;
            println!("{line}");
            if let Some(counted) = Self::read(&line) {
                self.passed += counted.passed;
                self.failed += counted.failed;
            }
        }
        Ok(child.wait().context("waiting for the runner")?.success())
    }

    /// Reads `test result: ok. 3 passed; 0 failed; …`, `3 passed, 0 failed`, and node's `ℹ pass 3` and `ℹ fail 0`.
    fn read(line: &str) -> Option<Self> {
        if let Some((kind, number)) = line.strip_prefix("ℹ ").and_then(|counts| counts.split_once(' ')) {
            let number = number.parse().ok()?;
            return match kind {
                "pass" => Some(Self { passed: number, failed: 0 }),
                "fail" => Some(Self { passed: 0, failed: number }),
                _ => None,
            };
        }
        let counts = match line.strip_prefix("test result: ") {
            Some(result) => result.split_once(". ")?.1,
            None => line,
        };
        let mut parts = counts.split([';', ',']).map(str::trim);
        let passed = parts.next()?.strip_suffix(" passed")?.parse().ok()?;
        let failed = parts.next()?.strip_suffix(" failed")?.parse().ok()?;
        Some(Self { passed, failed })
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
    fn closing_lines_are_counted() {
        let cargo = "test result: FAILED. 12 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        assert_eq!(Tally::read(cargo), Some(Tally { passed: 12, failed: 1 }));
        assert_eq!(Tally::read("31 passed, 2 failed"), Some(Tally { passed: 31, failed: 2 }));
        assert_eq!(Tally::read("ℹ pass 126"), Some(Tally { passed: 126, failed: 0 }));
        assert_eq!(Tally::read("ℹ fail 1"), Some(Tally { passed: 0, failed: 1 }));
    }

    #[test]
    fn other_lines_are_not_counted() {
        assert_eq!(Tally::read("test capture_pays ... ok"), None);
        assert_eq!(Tally::read("3 passed"), None);
        assert_eq!(Tally::read("ℹ tests 126"), None);
        assert_eq!(Tally::read("ℹ duration_ms 3.5"), None);
    }
}
