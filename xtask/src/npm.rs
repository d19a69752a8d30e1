//! The TypeScript package: installs what it needs, compiles it, runs its tests. And installs the standard clients.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{cache, checkout, progress};

/// What the package's `engines` ask for.
const MINIMUM_NODE: (u32, u32) = (20, 19);

/// Installs what the lock file names, unless that is done, and compiles. The end-to-end tests run the result.
pub(crate) fn build() -> Result<()> {
    let root = checkout::root()?;
    let package = package(&root);
    let npm = find("npm")?;
    check_node()?;
    let _lock = cache::lock(&root.join("target/npm.lock"))?;
    let log = root.join("target/npm.log");

    install(&npm, &package, "Installing what the TypeScript package needs", &log)?;
    let mut build = Command::new(&npm);
    build.args(["run", "build"]).current_dir(&package);
    progress::run("Compiling the TypeScript package", &mut build, &log)
}

/// Installs what a folder's lock file names, unless that is done.
fn install(npm: &Path, folder: &Path, title: &str, log: &Path) -> Result<()> {
    let wanted = folder.join("package-lock.json");
    let installed = folder.join("node_modules/.installed-lock.json");
    let lock_file = fs::read(&wanted).with_context(|| format!("reading {}", wanted.display()))?;
    if fs::read(&installed).ok().as_ref() == Some(&lock_file) {
        return Ok(());
    }
    let mut install = Command::new(npm);
    install.args(["ci", "--no-audit", "--no-fund"]).current_dir(folder);
    progress::run(title, &mut install, log)?;
    fs::write(&installed, lock_file).with_context(|| format!("writing {}", installed.display()))
}

/// Installs the standard servers and clients that the tests run against the verifier.
pub(crate) fn install_standard_clients() -> Result<()> {
    let root = checkout::root()?;
    let npm = find("npm")?;
    check_node()?;
    let _lock = cache::lock(&root.join("target/npm.lock"))?;
    let title = "Installing standard servers and clients";
    install(&npm, &root.join("tests/clients"), title, &root.join("target/npm.log"))
}

/// Runs the package's tests; [`build`] comes first.
pub(crate) fn test() -> Result<Command> {
    let mut test = Command::new(find("npm")?);
    test.args(["test", "--silent"]).current_dir(package(&checkout::root()?));
    Ok(test)
}

fn package(root: &Path) -> PathBuf {
    root.join("packages/auth-capture-svm")
}

fn find(program: &str) -> Result<PathBuf> {
    let (major, minor) = MINIMUM_NODE;
    checkout::find_program(program)
        .with_context(|| format!("{program} is missing: install Node.js {major}.{minor} or later, with npm"))
}

fn check_node() -> Result<()> {
    let output = Command::new(find("node")?).arg("--version").output().context("running node --version")?;
    let version = String::from_utf8_lossy(&output.stdout);
    let (major, minor) = MINIMUM_NODE;
    let found = read_version(&version);
    ensure!(
        found.is_some_and(|found| found >= MINIMUM_NODE),
        "node is {:?}: install Node.js {major}.{minor} or later",
        version.trim()
    );
    Ok(())
}

/// Reads `v20.19.4` as 20 and 19.
fn read_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        assert_eq!(read_version("v20.19.4\n"), Some((20, 19)));
        assert!(read_version("v20.9.0").unwrap() < MINIMUM_NODE);
        assert!(read_version("v26.0.0").unwrap() > MINIMUM_NODE);
        assert_eq!(read_version("20"), None);
    }
}
