//! solana-test-validator from its source on crates.io, into the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail, ensure};

use super::{BINARY, VERSION, version};
use crate::{apt, cache, checkout, progress};

/// What its dependencies are compiled with and linked to.
const DEBIAN_PACKAGES: [&str; 7] =
    ["clang", "cmake", "libclang-dev", "libssl-dev", "libudev-dev", "pkg-config", "protobuf-compiler"];

/// The validator in the cache, built if it is not there.
///
/// Unlike other parts, a build that was interrupted goes on where it stopped.
pub(super) fn cached() -> Result<PathBuf> {
    let cache = cache::root()?;
    let name = format!("{BINARY}-{VERSION}");
    let finished = cache.join(&name);
    let binary = finished.join("bin").join(BINARY);
    let _lock = cache::lock(&cache.join(format!("{name}.lock")))?;
    if !finished.exists() {
        let unfinished = cache.join(format!("{name}.partial"));
        cache::create_folder(&unfinished)?;
        install_debian_packages(&unfinished)?;

        eprintln!("{BINARY} {VERSION} is now built from crates.io.");
        let cores = thread::available_parallelism().map_or(1, usize::from);
        eprintln!("    It took 20 minutes on two cores; this machine has {cores}. Once only: it stays in");
        eprintln!("    {}. Interrupted, it goes on where it stopped.", cache.display());
        compile(&unfinished)?;
        cache::remove_folder(&unfinished.join("build"))?;
        fs::rename(&unfinished, &finished).with_context(|| format!("renaming {}", unfinished.display()))?;
    }
    match version(&binary) {
        Some(version) => eprintln!("Built {version} is at {}", binary.display()),
        None => bail!("{} does not run: remove {} and try again", binary.display(), finished.display()),
    }
    Ok(binary)
}

fn compile(folder: &Path) -> Result<()> {
    let mut install = checkout::cargo()?;
    install
        .args(["install", "agave-validator", "--version", VERSION, "--bin", BINARY, "--locked", "--no-track"])
        .args(["--features", "agave-unstable-api", "--root"])
        .arg(folder)
        .env("CARGO_TARGET_DIR", folder.join("build"))
        // A local chain has little to do: here the time to compile counts for more than speed.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    progress::run(&format!("Compiling agave-validator {VERSION}"), &mut install, &folder.join("log.txt"))
}

/// Installs missing packages where root runs this, else says which they are.
fn install_debian_packages(folder: &Path) -> Result<()> {
    let list = DEBIAN_PACKAGES.join(" ");
    if checkout::find_program("dpkg-query").is_none() {
        let missing: Vec<_> = ["clang", "cmake", "pkg-config", "protoc"]
            .into_iter()
            .filter(|program| checkout::find_program(program).is_none())
            .collect();
        ensure!(
            missing.is_empty(),
            "{BINARY} is not on PATH, and to build it these are missing: {}.\nInstall the equivalents of Debian's \
             {list}, or Solana's own release: sh -c \"$(curl -sSfL https://release.anza.xyz/stable/install)\"",
            missing.join(", ")
        );
        return Ok(());
    }
    let missing: Vec<_> = DEBIAN_PACKAGES.into_iter().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    apt::install(&missing, &format!("to build {BINARY}, packages are missing"), &folder.join("apt.txt"))
}

fn is_installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status}", package])
        .output()
        .is_ok_and(|output| output.stdout == b"installed")
}
