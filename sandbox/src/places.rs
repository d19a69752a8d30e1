use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use x402_escrow_interface::deployment::LOCAL_PROGRAM_ID;

use crate::program_id;

/// Names the folders of the programs that are started, as `PATH` does.
const PROGRAMS: &str = "X402_ESCROW_PROGRAMS";

/// The escrow program for local clusters, as CI builds it from its sources.
const ESCROW_PROGRAM: &[u8] = include_bytes!("../program/x402_escrow.so");

/// The root of this checkout.
pub fn checkout() -> PathBuf {
    let sandbox = Path::new(env!("CARGO_MANIFEST_DIR"));
    sandbox.parent().unwrap_or(sandbox).to_owned()
}

/// A program of the workspace: `verifier`, `agent`, `examples/merchant`.
///
/// # Errors
/// If it has not been built.
pub fn binary(name: &str) -> Result<PathBuf> {
    let mut folders: Vec<_> = env::var_os(PROGRAMS).iter().flat_map(env::split_paths).collect();
    if folders.is_empty() {
        let running = env::current_exe().context("the running program's path")?;
        // target/debug/demo, or target/debug/deps/cluster-….
        folders.extend(running.ancestors().find(|folder| folder.join("deps").is_dir()).map(Path::to_owned));
        folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    }
    if let Some(found) = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()) {
        return Ok(found);
    }
    bail!(
        "the program {name} is missing in {}: `cargo xtask sandbox` builds it, and {PROGRAMS} names another folder",
        folders.first().map(|folder| folder.display().to_string()).unwrap_or_default()
    )
}

/// The escrow program's file: the built one, else the committed one, put into `folder`.
pub(crate) fn escrow_program(folder: &Path) -> Result<PathBuf> {
    let built = checkout().join("target/deploy/x402_escrow.so");
    if built.is_file() {
        return Ok(built);
    }
    ensure!(
        program_id() == LOCAL_PROGRAM_ID,
        "{} is missing, and the program that is committed is for {LOCAL_PROGRAM_ID}: run `cargo xtask build`",
        built.display()
    );
    let file = folder.join("x402_escrow.so");
    fs::write(&file, ESCROW_PROGRAM).with_context(|| format!("writing {}", file.display()))?;
    Ok(file)
}
