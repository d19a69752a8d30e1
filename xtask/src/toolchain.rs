//! The compiler of the on-chain program: Solana's own where it is installed, else stock Rust.

mod debian;
mod linker;
mod platform_tools;
mod standard_library;
mod stock_rust;
mod target;

use std::path::{Path, PathBuf};

use anyhow::Result;

use platform_tools::PlatformTools;
use stock_rust::StockRust;

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
            None => Ok(Self::Stock(StockRust::ready(root)?)),
        }
    }

    /// What it is, versions included: another name means that everything is compiled again.
    pub(crate) fn identity(&self) -> &str {
        match self {
            Self::Solana(tools) => &tools.identity,
            Self::Stock(stock) => &stock.identity,
        }
    }

    /// Compiles a program and returns the path of its `.so`.
    pub(crate) fn compile(&self, root: &Path, program: &Program) -> Result<PathBuf> {
        match self {
            Self::Solana(tools) => tools.compile(root, program),
            Self::Stock(stock) => stock.compile(root, program),
        }
    }
}
