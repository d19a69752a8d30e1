//! `cargo xtask fuzz`: libFuzzer with the targets of `fuzz/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{cache, checkout, progress};

const CARGO_FUZZ_VERSION: &str = "0.13.1";
/// The longest that a target may take with one input, in seconds.
const INPUT_SECONDS: u64 = 5;

/// Installs cargo-fuzz if it is missing, compiles the targets (minutes the first time), and runs one of them, or all in
/// sequence. Inputs that a run finds are kept in target/fuzz/corpus; those that make a target fail, in fuzz/artifacts.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only this target; the files of fuzz/fuzz_targets are named after them
    target: Option<String>,
    /// How long each target runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = checkout::root()?;
    let mut targets = targets(&root)?;
    if let Some(target) = &arguments.target {
        ensure!(targets.contains(target), "there is no target {target}, only {}", targets.join(", "));
        targets = vec![target.clone()];
    }
    let cargo_fuzz = install()?;
    for target in targets {
        eprintln!("Fuzzing {target} for {} s", arguments.seconds);
        // The first folder is written to, the second only read.
        let corpus = root.join("target/fuzz/corpus").join(&target);
        cache::create_folder(&corpus)?;
        let mut command = command(&cargo_fuzz)?;
        command
            // All code here is safe Rust, in which an address sanitizer finds nothing but slows the build.
            .args(["run", "--sanitizer", "none", "--fuzz-dir"])
            .arg(root.join("fuzz"))
            .arg("--target-dir")
            .arg(root.join("target/fuzz"))
            .arg(&target)
            .arg(corpus)
            .arg(root.join("fuzz/seeds").join(&target))
            .args(["--", "-print_final_stats=1", "-verbosity=0"])
            .arg(format!("-max_total_time={}", arguments.seconds))
            .arg(format!("-timeout={INPUT_SECONDS}"));
        let status = command.stdin(Stdio::null()).status().context("running cargo-fuzz")?;
        ensure!(
            status.success(),
            "{target} failed, as cargo-fuzz says above; an input that did it is in fuzz/artifacts/{target}"
        );
    }
    Ok(())
}

/// Names of the targets, sorted.
fn targets(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("fuzz/fuzz_targets");
    let reading = || format!("reading {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn install() -> Result<PathBuf> {
    let installed = cache::part(&format!("cargo-fuzz-{CARGO_FUZZ_VERSION}"), |folder| {
        let mut install = checkout::cargo()?;
        install.args([
            "install",
            "cargo-fuzz",
            "--version",
            CARGO_FUZZ_VERSION,
            "--locked",
            "--debug",
            "--root",
        ]);
        progress::run("Installing cargo-fuzz", install.arg(folder), &folder.join("log.txt"))
    })?;
    Ok(installed.join("bin/cargo-fuzz"))
}

/// Runs `cargo_fuzz` with the cargo that runs us.
fn command(cargo_fuzz: &Path) -> Result<Command> {
    let mut command = Command::new(cargo_fuzz);
    for (name, value) in checkout::cargo()?.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Ok(command)
}
