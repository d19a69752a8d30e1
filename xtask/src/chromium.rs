//! The browser that the tests look at pages with, and pay from.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{apt, cache, checkout};

/// What Chromium's program is called: by Debian, by others, and Chrome itself.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Finds Chromium; where apt-get is and we are root, installs it.
pub(crate) fn locate_or_install() -> Result<PathBuf> {
    let find = || NAMES.into_iter().find_map(checkout::find_program);
    if let Some(program) = find() {
        return Ok(program);
    }
    let log = checkout::root()?.join("target/chromium.log");
    let _lock = cache::lock(&log.with_extension("lock"))?;
    apt::install(&["chromium"], "Chromium is missing", &log)?;
    find().context("apt-get installed Chromium, and it is not on PATH")
}
