//! The compiler of the on-chain program: Solana's own where it is installed, else stock Rust.

mod archives;
mod debian;
mod linker;
mod llvm;
mod pins;
mod platform_tools;
mod scripts;
mod standard_library;
mod stock_rust;
mod target;

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};

use crate::checkout;
use pins::{Pin, Pins, Source};
use platform_tools::PlatformTools;
use stock_rust::StockRust;

/// Tells the program's build script its address.
pub(crate) const PROGRAM_ID: &str = "X402_ESCROW_PROGRAM_ID";
/// Allows builds with what Debian offers where it no longer offers what is pinned.
const ALLOW_UNPINNED: &str = "X402_ESCROW_ALLOW_UNPINNED";

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Pin this cargo and what Debian offers today, in toolchain/pins.txt
    Pin,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match arguments.command {
        Command::Pin => pin(),
    }
}

fn pin() -> Result<()> {
    let root = checkout::root()?;
    let pins = Pins::read(&root)?;
    let cargo = cargo_pin()?;
    ensure!(!cargo.hash.is_empty(), "this cargo names no commit (cargo -vV): use rustup's");
    let offered = debian::offered_now(&pins)?;
    let new: Pins = offered
        .0
        .into_iter()
        .map(|pin| if pin.source == Source::Rust { cargo.clone() } else { pin })
        .collect();
    for (old, new) in pins.0.iter().zip(&new.0).filter(|(old, new)| old != new) {
        eprintln!("{}: {} is now {}", new.package, old.version, new.version);
    }
    if new == pins {
        eprintln!("{} is up to date", pins::FILE);
        return Ok(());
    }
    new.write(&root)?;
    eprintln!("Wrote {}; `cargo xtask build --write-hash` states the hash of what it makes", pins::FILE);
    Ok(())
}

fn allows_unpinned() -> bool {
    env::var_os(ALLOW_UNPINNED).is_some_and(|value| value == "1")
}

/// The cargo that runs us, as it would be pinned.
fn cargo_pin() -> Result<Pin> {
    let output = checkout::cargo()?.arg("-vV").output().context("running cargo -vV")?;
    ensure!(output.status.success(), "cargo -vV failed ({})", output.status);
    let versions = String::from_utf8_lossy(&output.stdout);
    read_cargo(&versions).with_context(|| format!("cargo -vV says {versions:?}"))
}

/// Reads what `cargo -vV` says. Where that names no commit, the hash is empty.
fn read_cargo(versions: &str) -> Option<Pin> {
    let field = |name: &str| versions.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    Some(Pin {
        source: Source::Rust,
        package: "cargo".to_owned(),
        version: field("release: ")?,
        hash: field("commit-hash: ").unwrap_or_default(),
    })
}

/// A Rust library crate that becomes an on-chain program.
pub(crate) struct Program {
    /// The crate's folder, from the root of the checkout.
    pub(crate) folder: &'static str,
    /// The name of its library target.
    pub(crate) library: &'static str,
}

/// A compiler that is ready to use.
pub(crate) enum Toolchain {
    /// `cargo build-sbf` with its platform tools.
    Solana(PlatformTools),
    /// Debian's rustc, the patched standard library and `sbpf-linker`.
    Stock(StockRust),
}

impl Toolchain {
    /// Finds Solana's compiler, else makes the stock one ready.
    ///
    /// # Errors
    ///
    /// On a system where neither is possible, with what to install.
    pub(crate) fn ready(root: &Path) -> Result<Self> {
        match platform_tools::find()? {
            Some(tools) => Ok(Self::Solana(tools)),
            None => Self::stock(root),
        }
    }

    /// Makes the stock compiler ready, which alone gives the same bytes everywhere.
    pub(crate) fn stock(root: &Path) -> Result<Self> {
        Ok(Self::Stock(StockRust::ready(root)?))
    }

    /// What it is, versions included: another name means that everything is compiled again.
    pub(crate) fn identity(&self) -> &str {
        match self {
            Self::Solana(tools) => &tools.identity,
            Self::Stock(stock) => &stock.identity,
        }
    }

    /// How a stock compiler differs from the pinned one.
    pub(crate) fn differences(&self) -> &[String] {
        match self {
            Self::Solana(_) => &[],
            Self::Stock(stock) => &stock.differences,
        }
    }

    /// Compiles a program for an address and returns the path of its `.so`.
    pub(crate) fn compile(&self, root: &Path, program: &Program, program_id: &str) -> Result<PathBuf> {
        match self {
            Self::Solana(tools) => tools.compile(root, program, program_id),
            Self::Stock(stock) => stock.compile(root, program, program_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_pinned_by_release_and_commit() {
        let versions =
            "cargo 1.95.0 (f2d3ce0bd 2026-03-21)\nrelease: 1.95.0\ncommit-hash: f2d3ce0bd\nhost: x\n";
        let pin = read_cargo(versions).unwrap();
        assert_eq!((&pin.version[..], &pin.hash[..]), ("1.95.0", "f2d3ce0bd"));
        assert_eq!(read_cargo("release: 1.95.0\n").unwrap().hash, "");
        assert_eq!(read_cargo("cargo 1.95.0"), None);
    }
}
