//! Where things are in this checkout, and the cargo that runs us.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The root of the checkout.
pub(crate) fn root() -> Result<PathBuf> {
    let xtask = env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask …`")?;
    let root = Path::new(&xtask).parent().context("xtask has no parent folder")?;
    Ok(root.to_owned())
}

/// The manifests of the workspaces beside the root's.
pub(crate) fn other_workspaces(root: &Path) -> Result<Vec<PathBuf>> {
    let mut manifests = ["fuzz", "tests/peer-facilitator", "tests/peer-vouchers"]
        .map(|folder| root.join(folder).join("Cargo.toml"))
        .to_vec();
    for folder in ["programs", "toolchain"] {
        let folder = root.join(folder);
        for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            manifests.push(entry?.path().join("Cargo.toml"));
        }
    }
    manifests.retain(|manifest| manifest.is_file());
    Ok(manifests)
}

/// Where compiled programs are put, for Anchor, the demo and the tests alike.
pub(crate) fn deploy_directory() -> Result<PathBuf> {
    Ok(root()?.join("target/deploy"))
}

/// The cargo that runs us, by its own path, with its own folder first on `PATH`.
///
/// That keeps rustup's proxies out of everything started from here: a proxy that finds `RUSTUP_TOOLCHAIN`
/// set, as it is under `cargo run`, may install or replace a toolchain.
pub(crate) fn cargo() -> Result<Command> {
    let cargo = PathBuf::from(env::var_os("CARGO").context("run this as `cargo xtask …`")?);
    let mut search_path = OsString::new();
    if let Some(folder) = cargo.parent().filter(|folder| folder.join("rustc").exists()) {
        search_path.push(folder);
        search_path.push(":");
    }
    search_path.push(env::var_os("PATH").unwrap_or_default());
    let mut command = Command::new(cargo);
    command.env("PATH", search_path).env_remove("RUSTUP_TOOLCHAIN");
    // Left by `cargo run`, or set by a user for the host: neither is meant for what is compiled from here.
    for name in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"] {
        command.env_remove(name);
    }
    Ok(command)
}

/// Compiles programs of the workspace, as `--bin` and `--example` name them. The whole workspace is named so that they
/// share with the tests what is compiled.
pub(crate) fn build(programs: &[&str]) -> Result<()> {
    let status = cargo()?
        .args(["build", "--workspace", "--locked", "--exclude", "xtask"])
        .args(programs)
        .current_dir(root()?)
        .status()
        .context("running cargo")?;
    ensure!(status.success(), "the programs could not be compiled ({status})");
    Ok(())
}

/// Where cargo keeps what it fetches: `$CARGO_HOME`, else `~/.cargo`.
pub(crate) fn cargo_home() -> Result<PathBuf> {
    let home = env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))
        .context("no home folder: set CARGO_HOME to cargo's")
}

/// The full path of a program on `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}
