//! `sbpf-linker`: links LLVM bitcode and writes an SBPF shared object.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::archives;
use super::pins::{FILE, Pin, Pins, Source};
use crate::{cache, checkout, progress};

const PACKAGE: &str = "sbpf-linker";

/// The path of `sbpf-linker`, which is compiled from crates.io unless the cache has it.
pub(crate) fn ready(pins: &Pins) -> Result<PathBuf> {
    let pin = pins.get(Source::Crates, PACKAGE)?;
    let Pin { version, hash, .. } = pin;
    let folder = cache::part(&format!("{PACKAGE}-{version}-{}", &hash[..12]), |folder| {
        let build = folder.join("build");
        let mut install = checkout::cargo()?;
        install
            .args([
                "install",
                PACKAGE,
                "--version",
                &format!("={version}"),
                "--locked",
                "--no-track",
                "--root",
            ])
            .arg(folder)
            .env("CARGO_TARGET_DIR", &build)
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0");
        let title = format!("Compiling {PACKAGE} {version} from crates.io (one to three minutes)");
        progress::run(&title, &mut install, &folder.join("log.txt"))?;
        check(pin, &checkout::cargo_home()?)?;
        cache::remove_folder(&build)
    })?;
    Ok(folder.join("bin").join(PACKAGE))
}

/// Checks the package that cargo fetched. Its lock file, inside, has the hashes of all that it is compiled from.
fn check(pin: &Pin, cargo_home: &Path) -> Result<()> {
    let registries = cargo_home.join("registry/cache");
    let name = archives::names(pin).concat();
    let mut found = false;
    for registry in fs::read_dir(&registries).with_context(|| format!("reading {}", registries.display()))? {
        let path = registry.with_context(|| format!("reading {}", registries.display()))?.path().join(&name);
        if !path.is_file() {
            continue;
        }
        found = true;
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let hash = format!("{:x}", Sha256::digest(&bytes));
        ensure!(hash == pin.hash, "{} has SHA-256 {hash}, and {FILE} says {}", path.display(), pin.hash);
    }
    ensure!(found, "{name} is not in {}, so its hash can't be compared with {FILE}", registries.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_with_another_hash_is_refused() {
        let home = std::env::temp_dir().join(format!("xtask-cargo-home-{}", std::process::id()));
        let registry = home.join("registry/cache/crates");
        fs::create_dir_all(&registry).unwrap();
        let hash = format!("{:x}", Sha256::digest("content"));
        let pin =
            Pin { source: Source::Crates, package: PACKAGE.to_owned(), version: "1.0.0".to_owned(), hash };
        let refused = || check(&pin, &home).unwrap_err().to_string();
        assert!(refused().contains("sbpf-linker-1.0.0.crate is not in"), "{}", refused());
        let package = registry.join("sbpf-linker-1.0.0.crate");
        fs::write(&package, "other content").unwrap();
        assert!(refused().contains(&pin.hash), "{}", refused());
        fs::write(&package, "content").unwrap();
        check(&pin, &home).unwrap();
        fs::remove_dir_all(home).unwrap();
    }
}
