//! `cargo xtask build`: compiles the programs, if anything they are made from has changed.

mod committed;
mod fingerprint;
mod program_id;
mod stated_hash;

use std::env;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::toolchain::{Program, Toolchain};
use crate::{cache, checkout, progress};

const ESCROW: Program = Program { folder: "programs/escrow", library: "x402_escrow" };

/// The program that the arithmetic tests run.
const ARITHMETIC_PROBE: Program =
    Program { folder: "toolchain/arithmetic-probe", library: "arithmetic_probe" };

/// Takes the committed escrow program if its sources have not changed. Otherwise compiles it with `cargo build-sbf`
/// if that and its platform tools are installed, else with stock Rust and parts from Debian, PyPI and crates.io,
/// kept in ~/.cache/x402-escrow ($X402_ESCROW_CACHE overrides). docs/reproducible-build.md says more.
#[derive(Args, Default)]
pub(crate) struct Arguments {
    /// Compile even if nothing has changed, and do not use the committed program
    #[arg(long)]
    pub(crate) force: bool,
    /// Build for this address [default: $X402_ESCROW_PROGRAM_ID, else the local clusters'], and keep the result in
    /// target/deploy/ADDRESS too
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) program_id: Option<String>,
    /// Use stock Rust, and fail if the program's SHA-256 is not that in docs/reproducible-build.md and of the committed
    /// program
    #[arg(long, conflicts_with = "program_id")]
    pub(crate) check_hash: bool,
    /// Use stock Rust, state the program's SHA-256 in docs/reproducible-build.md, and write sandbox/program/
    #[arg(long, conflicts_with_all = ["program_id", "check_hash"])]
    pub(crate) write_hash: bool,
}

/// Builds what is not up to date, and returns the address that the program is built for.
pub(crate) fn run(arguments: &Arguments) -> Result<String> {
    build(arguments, &[&ESCROW, &ARITHMETIC_PROBE])
}

/// Makes the escrow program ready, and nothing that only tests run.
pub(crate) fn escrow() -> Result<String> {
    build(&Arguments::default(), &[&ESCROW])
}

fn build(arguments: &Arguments, programs: &[&Program]) -> Result<String> {
    let root = checkout::root()?;
    let id = program_id::chosen(arguments.program_id.as_deref())?;
    let for_hash = arguments.check_hash || arguments.write_hash;
    let variable = fingerprint::VARIABLES.into_iter().find(|name| env::var_os(name).is_some());
    let is_default = variable.is_none() && id == program_id::DEFAULT;
    ensure!(
        is_default || !for_hash,
        "the stated hash is that of the program as it is by default: unset {}",
        variable.unwrap_or(crate::toolchain::PROGRAM_ID)
    );
    let deploy = checkout::deploy_directory()?;
    let state = root.join("target/sbf");
    let _lock = cache::lock(&state.join("build.lock"))?;
    cache::create_folder(&deploy)?;

    let sources = fingerprint::of(&root, "", &id)?;
    let escrow = deploy.join(ESCROW.library).with_extension("so");
    let committed = match is_default && !for_hash && !arguments.force {
        true => committed::built_from(&root, &sources),
        false => None,
    };
    let mut to_build = programs.to_vec();
    if let Some(committed) = committed {
        use_committed(&committed, &escrow)?;
        to_build.retain(|program| program.library != ESCROW.library);
    }
    if to_build.is_empty() {
        return Ok(id);
    }
    let toolchain = if for_hash { Toolchain::stock(&root)? } else { Toolchain::ready(&root)? };
    let inputs = fingerprint::of(&root, toolchain.identity(), &id)?;
    for program in to_build {
        compile(&root, program, &toolchain, &inputs, &id, arguments.force)?;
    }
    if id != program_id::DEFAULT {
        keep(&escrow, &deploy.join(&id), &id)?;
    }
    if for_hash {
        let bytes = fs::read(&escrow).with_context(|| format!("reading {}", escrow.display()))?;
        let hash = format!("{:x}", Sha256::digest(&bytes));
        if arguments.write_hash {
            stated_hash::write(&root, &hash, toolchain.differences())?;
            committed::write(&root, &sources, &bytes)?;
        } else {
            eprintln!("{}", stated_hash::check(&root, &hash, toolchain.differences())?);
            committed::check(&root, &sources, &stated_hash::stated_in(&root)?)?;
        }
    }
    Ok(id)
}

/// Puts the committed program where everything looks for it.
fn use_committed(program: &[u8], escrow: &Path) -> Result<()> {
    if fs::read(escrow).is_ok_and(|found| found == program) {
        eprintln!("target/deploy/x402_escrow.so is up to date");
        return Ok(());
    }
    write_at_once(program, escrow)?;
    eprintln!(
        "The escrow program's sources have not changed: target/deploy/x402_escrow.so is the committed one"
    );
    Ok(())
}

/// Compiles a program unless the last build made it from the same inputs.
fn compile(
    root: &Path,
    program: &Program,
    toolchain: &Toolchain,
    inputs: &str,
    id: &str,
    force: bool,
) -> Result<()> {
    let output = checkout::deploy_directory()?.join(program.library).with_extension("so");
    let record = root.join("target/sbf").join(program.library).with_extension("json");
    let shown = output.strip_prefix(root).unwrap_or(&output).display();
    if !force && is_up_to_date(&record, inputs, &output) {
        eprintln!("{shown} is up to date");
        return Ok(());
    }
    for difference in toolchain.differences() {
        eprintln!("Not the pinned toolchain: {difference}");
    }
    eprintln!("Compiling {} for Solana (under a minute; a first time a few)", program.folder);
    let started = Instant::now();
    let compiled = toolchain.compile(root, program, id)?;
    let bytes = install(&compiled, &output)?;
    let hash = format!("{:x}", Sha256::digest(&bytes));
    let state = json!({ "inputs": inputs, "output": hash, "program_id": id });
    fs::write(&record, state.to_string()).with_context(|| format!("writing {}", record.display()))?;
    eprintln!("    {shown}: {} bytes, in {}", bytes.len(), progress::elapsed(started.elapsed()));
    Ok(())
}

/// Copies a program for another address to where no build for the default one overwrites it.
fn keep(escrow: &Path, folder: &Path, id: &str) -> Result<()> {
    cache::create_folder(folder)?;
    let kept = folder.join(escrow.file_name().context("the program's file has no name")?);
    let bytes = install(escrow, &kept)?;
    eprintln!("It is built for {id}, not for the default address {}.", program_id::DEFAULT);
    eprintln!("    Deploy {}, SHA-256 {:x}:", kept.display(), Sha256::digest(bytes));
    eprintln!("    the next build for another address overwrites {}", escrow.display());
    Ok(())
}

/// Whether the output is the one that the last build made, from the same inputs.
fn is_up_to_date(record: &Path, inputs: &str, output: &Path) -> bool {
    let Ok(record) = fs::read(record) else { return false };
    let Ok(record) = serde_json::from_slice::<serde_json::Value>(&record) else { return false };
    let Ok(bytes) = fs::read(output) else { return false };
    record["inputs"] == inputs && record["output"] == format!("{:x}", Sha256::digest(bytes))
}

/// Copies a program to its place, and returns its bytes.
fn install(compiled: &Path, output: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(compiled).with_context(|| format!("reading {}", compiled.display()))?;
    write_at_once(&bytes, output)?;
    Ok(bytes)
}

/// Writes a program in one step, so that nobody reads half of it.
fn write_at_once(program: &[u8], output: &Path) -> Result<()> {
    let unfinished = output.with_extension("so.partial");
    fs::write(&unfinished, program).with_context(|| format!("writing {}", unfinished.display()))?;
    fs::rename(&unfinished, output).with_context(|| format!("writing {}", output.display()))
}
