//! `cargo xtask test`: everything that can be tested here, and how much that was.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Args;
use sha2::{Digest, Sha256};

use crate::toolchain::PROGRAM_ID;
use crate::{build, checkout, chromium, demo, fault, idl, npm, postgres, python, validator};

/// Builds the program, finds or builds solana-test-validator, finds or installs Chromium, checks that the IDL is
/// current, then runs unit tests, the program's tests on LiteSVM, the HTTP tests (on SQLite and on PostgreSQL), the
/// end-to-end tests on the validator, the golden vectors in Python, and the tests of the TypeScript package. The last
/// line of standard output counts them.
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
    idl::run(&idl::Arguments { check: true })?;
    let validator = validator::locate_or_build()?;
    demo::build_binaries()?;
    npm::build()?;
    npm::install_standard_clients()?;
    let python = python_with_x402(&root)?;
    let chromium = chromium::locate_or_install()?;

    let mut tally = Tally::default();
    let mut broken = Vec::new();
    let mut cargo = checkout::cargo()?;
    cargo.args(["test", "--workspace", "--locked", "--no-fail-fast"]).current_dir(&root);
    cargo.args(arguments.filter.as_deref()).env("X402_ESCROW_VALIDATOR", &validator);
    cargo
        .env(PROGRAM_ID, &program_id)
        .env("X402_ESCROW_CLIENTS_PYTHON", python)
        .env("X402_ESCROW_CHROMIUM", chromium);
    if arguments.full {
        cargo.env("X402_ESCROW_PROPERTY_INSTRUCTIONS", FULL_INSTRUCTIONS).envs(fault::FULL);
    }
    if !tally.add_output_of("cargo test", &mut cargo)? {
        broken.push("cargo test");
    }
    // Again with the store in PostgreSQL, and what needs several verifiers over one.
    let server = postgres::Server::start()?;
    for (title, package, test, which) in [
        ("the HTTP tests on PostgreSQL", "x402-escrow-verifier", "http", "--include-ignored"),
        ("the end-to-end tests on PostgreSQL", "x402-escrow-tests", "end_to_end", "--ignored"),
    ] {
        let mut cargo = checkout::cargo()?;
        cargo.args(["test", "--package", package, "--test", test, "--locked", "--", which]);
        cargo.args(arguments.filter.as_deref()).current_dir(&root);
        cargo.env("X402_TEST_POSTGRES", server.url()).env("X402_ESCROW_VALIDATOR", &validator);
        cargo.env(PROGRAM_ID, &program_id);
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
