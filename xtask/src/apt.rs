//! Packages of Debian and Ubuntu, installed where root runs this.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::{checkout, progress};

/// Installs packages. `why` says what for, to whoever must do it by hand.
pub(crate) fn install(packages: &[&str], why: &str, log: &Path) -> Result<()> {
    let list = packages.join(" ");
    ensure!(
        is_root() && checkout::find_program("apt-get").is_some(),
        "{why}: on Debian, sudo apt-get install --no-install-recommends {list}"
    );
    progress::run("Reading the system's package lists", Command::new("apt-get").arg("update"), log)?;
    progress::run(
        &format!("Installing {list} with apt-get"),
        Command::new("apt-get")
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
        log,
    )
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
