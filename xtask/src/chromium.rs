//! The browser that the tests look at the status page with.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cache, checkout, progress};

/// What Chromium's program is called: by Debian, by others, and Chrome itself.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Finds Chromium; where apt-get is and we are root, installs it.
pub(crate) fn locate_or_install() -> Result<PathBuf> {
    let find = || NAMES.into_iter().find_map(checkout::find_program);
    if let Some(program) = find() {
        return Ok(program);
    }
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let Some(apt_get) = checkout::find_program("apt-get").filter(|_| is_root) else {
        bail!("Chromium is missing: on Debian, `apt-get install chromium` as root");
    };
    let log = checkout::root()?.join("target/chromium.log");
    let _lock = cache::lock(&log.with_extension("lock"))?;
    for arguments in [&["update"][..], &["install", "--yes", "--no-install-recommends", "chromium"]] {
        let mut command = Command::new(&apt_get);
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        progress::run(&format!("apt-get {}", arguments.join(" ")), &mut command, &log)?;
    }
    find().context("apt-get installed Chromium, and it is not on PATH")
}
