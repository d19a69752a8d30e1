//! `cargo xtask build`: compiles the programs, if anything they are made from has changed.

mod fingerprint;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::toolchain::{Program, Toolchain};
use crate::{cache, checkout, progress};

/// The escrow, and the program that the arithmetic tests run.
const PROGRAMS: [Program; 2] = [
    Program { folder: "programs/escrow", library: "x402_escrow" },
    Program { folder: "toolchain/arithmetic-probe", library: "arithmetic_probe" },
];

/// Uses `cargo build-sbf` where it and its platform tools are installed, else stock Rust with parts from
/// Debian's packages and crates.io, kept in ~/.cache/x402-escrow ($X402_ESCROW_CACHE overrides).
#[derive(Args, Default)]
pub(crate) struct Arguments {
    /// Compile even if nothing has changed
    #[arg(long)]
    pub(crate) force: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = checkout::root()?;
    let deploy = checkout::deploy_directory()?;
    let state = root.join("target/sbf");
    let _lock = cache::lock(&state.join("build.lock"))?;
    cache::create_folder(&deploy)?;

    let toolchain = Toolchain::ready(&root)?;
    let inputs = fingerprint::of(&root, toolchain.identity())?;
    for program in &PROGRAMS {
        let output = deploy.join(program.library).with_extension("so");
        let record = state.join(program.library).with_extension("json");
        let shown = output.strip_prefix(&root).unwrap_or(&output).display();
        if !arguments.force && is_up_to_date(&record, &inputs, &output) {
            eprintln!("{shown} is up to date");
            continue;
        }
        eprintln!("Compiling {} for Solana (under a minute; a first time a few)", program.folder);
        let started = Instant::now();
        let compiled = toolchain.compile(&root, program)?;
        let bytes = install(&compiled, &output)?;
        let state = json!({ "inputs": inputs, "output": format!("{:x}", Sha256::digest(&bytes)) });
        fs::write(&record, state.to_string()).with_context(|| format!("writing {}", record.display()))?;
        eprintln!("    {shown}: {} bytes, in {}", bytes.len(), progress::elapsed(started.elapsed()));
    }
    Ok(())
}

/// Whether the output is the one that the last build made, from the same inputs.
fn is_up_to_date(record: &Path, inputs: &str, output: &Path) -> bool {
    let Ok(record) = fs::read(record) else { return false };
    let Ok(record) = serde_json::from_slice::<serde_json::Value>(&record) else { return false };
    let Ok(bytes) = fs::read(output) else { return false };
    record["inputs"] == inputs && record["output"] == format!("{:x}", Sha256::digest(bytes))
}

/// Copies a program to its place in one step, so that nobody reads half of it, and returns its bytes.
fn install(compiled: &Path, output: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(compiled).with_context(|| format!("reading {}", compiled.display()))?;
    let unfinished: PathBuf = output.with_extension("so.partial");
    fs::write(&unfinished, &bytes).with_context(|| format!("writing {}", unfinished.display()))?;
    fs::rename(&unfinished, output).with_context(|| format!("writing {}", output.display()))?;
    Ok(bytes)
}
