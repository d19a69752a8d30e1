//! `cargo xtask idl`: the program's interface description, as Anchor's clients read it.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::checkout;
use crate::toolchain::PROGRAM_ID;

const FILE: &str = "idl/x402_escrow.json";

/// Compiles the program for this machine and writes the IDL that it reports.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Change nothing; fail if the committed file is stale
    #[arg(long)]
    pub(crate) check: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = checkout::root()?;
    eprintln!("Building the IDL from programs/escrow (seconds; a first time a minute or two)");
    let output = checkout::cargo()?
        .args(["run", "--quiet", "--locked", "--manifest-path"])
        .arg(root.join("toolchain/idl-builder/Cargo.toml"))
        .arg("--target-dir")
        .arg(root.join("target/idl/builder"))
        .arg("--")
        .arg(root.join("programs/escrow"))
        .arg(root.join("target/idl/program"))
        // The committed IDL is that of the default address.
        .env_remove(PROGRAM_ID)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("running cargo")?;
    ensure!(output.status.success(), "the IDL could not be built ({})", output.status);

    let path = root.join(FILE);
    let committed = match fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("reading {FILE}")),
    };
    if committed.as_ref() == Some(&output.stdout) {
        eprintln!("{FILE} is up to date");
        return Ok(());
    }
    if arguments.check {
        let state = if committed.is_some() { "is stale" } else { "is missing" };
        bail!("{FILE} {state}: run `cargo xtask idl` and commit the file");
    }
    crate::cache::create_folder(&root.join("idl"))?;
    fs::write(&path, &output.stdout).with_context(|| format!("writing {FILE}"))?;
    eprintln!("Wrote {FILE}");
    Ok(())
}
