//! Fetched archives, kept in the cache and checked against their pins. A file put there by hand is as good.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use super::pins::{FILE, Pin, Source};
use crate::cache;

/// The folder of all archives.
pub(crate) fn folder() -> Result<PathBuf> {
    let folder = cache::root()?.join("archives");
    cache::create_folder(&folder)?;
    Ok(folder)
}

/// The path of a pin's archive, if it is in the folder.
///
/// # Errors
///
/// If its content is not the pinned one.
pub(crate) fn find(pin: &Pin) -> Result<Option<PathBuf>> {
    let folder = folder()?;
    let Some(path) = names(pin).into_iter().map(|name| folder.join(name)).find(|path| path.is_file()) else {
        return Ok(None);
    };
    let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let hash = format!("{:x}", Sha256::digest(&bytes));
    ensure!(
        hash == pin.hash,
        "{} has SHA-256 {hash}, and {FILE} says {}: remove it and try again; if it comes back like that, its registry \
         gives out something else under the same version",
        path.display(),
        pin.hash
    );
    Ok(Some(path))
}

/// Like [`find`], for an archive that was just fetched.
pub(crate) fn get(pin: &Pin) -> Result<PathBuf> {
    match find(pin)? {
        Some(path) => Ok(path),
        None => bail!("{} {} was not fetched as {}", pin.package, pin.version, names(pin).join(" or ")),
    }
}

/// What the archive's file is called.
pub(crate) fn names(pin: &Pin) -> Vec<String> {
    let Pin { package, version, .. } = pin;
    match pin.source {
        Source::Debian => {
            let version = version.replace(':', "%3a");
            ["amd64", "all"].map(|machine| format!("{package}_{version}_{machine}.deb")).into()
        }
        Source::Pypi => {
            vec![format!("{}-{version}-py3-none-manylinux_2_28_x86_64.whl", package.replace('-', "_"))]
        }
        Source::Crates => vec![format!("{package}-{version}.crate")],
        Source::Rust => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(source: Source, package: &str, version: &str) -> String {
        let pin = Pin { source, package: package.into(), version: version.into(), hash: String::new() };
        names(&pin).remove(0)
    }

    #[test]
    fn archives_are_called_as_their_registries_call_them() {
        assert_eq!(name(Source::Debian, "zlib1g", "1:1.3-1+b1"), "zlib1g_1%3a1.3-1+b1_amd64.deb");
        assert_eq!(name(Source::Pypi, "a-b", "1.0"), "a_b-1.0-py3-none-manylinux_2_28_x86_64.whl");
        assert_eq!(name(Source::Crates, "sbpf-linker", "0.2.6"), "sbpf-linker-0.2.6.crate");
    }
}
