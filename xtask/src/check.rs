//! `cargo xtask check`: what a change most likely breaks, in two minutes.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::build;
use crate::checkout;
use crate::steps::Steps;

/// Checks format and lints, builds the program if it changed, and runs the unit tests, the program's tests on LiteSVM,
/// and those of the documentation. Needs no validator, database, browser or npm. Ends with the time of each step, and
/// what it left out.
#[derive(Args)]
pub(crate) struct Arguments {}

/// Parts of the test program `in_process` that take long and seldom fail alone.
const LEFT_TO_TEST: [&str; 5] = ["promises::", "property::", "ed25519::", "fuzz::", "substitution::"];

const NOT_RUN: &str = "\
Not run: random instructions (promises, property), edge cases of Ed25519, seeds of the fuzz targets, substituted accounts,
the HTTP interface, merchants, agents, command lines, anything on a validator, PostgreSQL, TypeScript, Python, the IDL,
costs, licences.
`cargo xtask test` runs the tests, `.ci/run` everything.";

pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::start();
    let outcome = all(&mut steps);
    eprintln!("{steps}\n{NOT_RUN}");
    outcome
}

fn all(steps: &mut Steps) -> Result<()> {
    let root = checkout::root()?;
    steps.run("Format", || {
        cargo(&root, &["fmt", "--all", "--check"])?;
        for manifest in checkout::other_workspaces(&root)? {
            let mut fmt = checkout::cargo()?;
            succeed(fmt.args(["fmt", "--check", "--manifest-path"]).arg(manifest))?;
        }
        Ok(())
    })?;
    steps.run("Clippy", || {
        cargo(&root, &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
    })?;
    let program_id = steps.run("The program", || build::run(&build::Arguments::default()))?;
    let tests =
        ["test", "--workspace", "--locked", "--lib", "--test", "in_process", "--test", "documentation"];
    steps.run("Compiling the tests", || cargo(&root, &[&tests[..], &["--no-run"]].concat()))?;
    steps.run("Unit tests, the program on LiteSVM, documentation", || {
        let mut command = checkout::cargo()?;
        command.args(tests).args(["--no-fail-fast", "--", "--quiet"]).current_dir(&root);
        command.args(LEFT_TO_TEST.iter().flat_map(|module| ["--skip", module]));
        succeed(command.env(crate::toolchain::PROGRAM_ID, program_id))
    })
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<()> {
    succeed(checkout::cargo()?.args(arguments).current_dir(root))
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().context("running cargo")?;
    ensure!(status.success(), "this step failed ({status}); its output is above");
    Ok(())
}
