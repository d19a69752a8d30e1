//! `sbpf-linker`: links LLVM bitcode and writes an SBPF shared object.

use std::path::PathBuf;

use anyhow::Result;

use crate::{cache, checkout, progress};

const VERSION: &str = "0.2.6";

/// The path of `sbpf-linker`, which is compiled from crates.io unless the cache has it.
pub(crate) fn ready() -> Result<PathBuf> {
    let folder = cache::part(&format!("sbpf-linker-{VERSION}"), |folder| {
        let build = folder.join("build");
        let mut install = checkout::cargo()?;
        install
            .args(["install", "sbpf-linker", "--version", VERSION, "--locked", "--no-track", "--root"])
            .arg(folder)
            .env("CARGO_TARGET_DIR", &build)
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0");
        let title = format!("Compiling sbpf-linker {VERSION} from crates.io (one to three minutes)");
        progress::run(&title, &mut install, &folder.join("log.txt"))?;
        cache::remove_folder(&build)
    })?;
    Ok(folder.join("bin/sbpf-linker"))
}
