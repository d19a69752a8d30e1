//! `cargo xtask validator`: finds solana-test-validator, or builds it.

mod build;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::checkout;

/// The version that everything is tested with.
const VERSION: &str = "4.2.2";
const BINARY: &str = "solana-test-validator";

/// Takes the one on PATH, else the one in the cache, else compiles it from crates.io, which took 20
/// minutes on two cores.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Build from crates.io even if one is on PATH
    #[arg(long)]
    from_source: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let validator = if arguments.from_source { build::cached()? } else { locate_or_build()? };
    println!("{}", validator.display());
    Ok(())
}

/// The path of a solana-test-validator that runs.
pub(crate) fn locate_or_build() -> Result<PathBuf> {
    let Some(found) = checkout::find_program(BINARY) else { return build::cached() };
    match version(&found) {
        Some(version) => {
            eprintln!("Found {version} at {}", found.display());
            if !is_expected(&version) {
                eprintln!("    warning: this project is tested with {VERSION}; --from-source builds that");
            }
            Ok(found)
        }
        None => {
            eprintln!("{} does not run: `{BINARY} --version` fails", found.display());
            build::cached()
        }
    }
}

/// The first line of `--version`, if it runs.
fn version(binary: &Path) -> Option<String> {
    let output =
        Command::new(binary).arg("--version").output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.lines().next().map(str::to_owned)
}

/// Whether `solana-test-validator 4.2.2 (src:…)` is of the release that is tested, whatever its patch level.
fn is_expected(version: &str) -> bool {
    let release = |text: &str| text.split('.').take(2).map(str::to_owned).collect::<Vec<_>>();
    version.split_whitespace().nth(1).is_some_and(|found| release(found) == release(VERSION))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patch_level_does_not_matter() {
        assert!(is_expected("solana-test-validator 4.2.9 (src:0; feat:1, client:Agave)"));
        assert!(!is_expected("solana-test-validator 4.20.2 (src:0; feat:1, client:Agave)"));
        assert!(!is_expected("solana-test-validator 3.1.0"));
        assert!(!is_expected("solana-test-validator"));
    }
}
