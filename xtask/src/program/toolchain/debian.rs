//! rustc, with its library source and the shared libraries that it needs, out of Debian's packages.
//!
//! They are unpacked into a private folder: nothing is installed.

mod apt;
mod unpack;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::pins::{FILE, Pin, Pins, Source};
use super::{ALLOW_UNPINNED, allows_unpinned, archives};
use crate::cache;
use apt::Apt;

/// The release of rustc whose library source `standard_library` knows how to edit.
pub(crate) const RUST_VERSION: &str = "1.96";

/// What was unpacked, and where.
pub(crate) struct Packages {
    folder: PathBuf,
    /// What was unpacked, by version.
    pub(crate) used: Pins,
}

impl Packages {
    /// Fetches the pinned packages, unless the cache has them.
    ///
    /// # Errors
    ///
    /// If Debian no longer offers one of them, unless unpinned builds are allowed: then the offered one is taken.
    pub(crate) fn ready(pins: &Pins) -> Result<Self> {
        let used = choose(&pins.from(Source::Debian))?;
        let folder = cache::part(&part(&used), |folder| unpack::all(&used, folder))?;
        Ok(Self { folder, used })
    }

    /// The folder with rustc's `bin` and `lib`.
    pub(crate) fn prefix(&self) -> PathBuf {
        self.folder.join("root/usr")
    }

    /// The private shared libraries, their dynamic loader included.
    pub(crate) fn libraries(&self) -> PathBuf {
        self.prefix().join("lib/x86_64-linux-gnu")
    }

    /// The dynamic loader that fits the private C library.
    pub(crate) fn loader(&self) -> PathBuf {
        self.libraries().join("ld-linux-x86-64.so.2")
    }

    /// The source of Rust's standard library.
    pub(crate) fn library_source(&self) -> PathBuf {
        self.folder.join("library")
    }
}

/// Replaces what Debian no longer offers by what it does, and says so.
pub(crate) fn offered_now(pins: &Pins) -> Result<Pins> {
    let apt = Apt::updated()?;
    let packages = pins.0.iter().filter(|pin| pin.source == Source::Debian);
    let offers = packages.map(|pin| Ok((pin, apt.offered(&pin.package)?))).collect::<Result<Vec<_>>>()?;
    replace(pins, &offers)
}

fn part(pins: &Pins) -> String {
    format!("debian-rust-{RUST_VERSION}-{}", pins.name())
}

/// The pinned packages, or as near to them as Debian's offers come. Their archives are there afterwards.
fn choose(pinned: &Pins) -> Result<Pins> {
    let cache = cache::root()?;
    if cache.join(part(pinned)).exists() {
        return Ok(pinned.clone());
    }
    let _lock = cache::lock(&cache.join("debian.lock"))?;
    let mut missing = Vec::new();
    for pin in &pinned.0 {
        if archives::find(pin)?.is_none() {
            missing.push(pin);
        }
    }
    if missing.is_empty() {
        return Ok(pinned.clone());
    }
    let substitutes = cache.join(format!("debian-offered-{}.txt", pinned.name()));
    if allows_unpinned() && substitutes.exists() {
        let text =
            fs::read_to_string(&substitutes).with_context(|| format!("reading {}", substitutes.display()))?;
        return Pins::parse(&text)
            .with_context(|| format!("{} is damaged: remove it", substitutes.display()));
    }

    let apt = Apt::updated()?;
    let offers =
        missing.iter().map(|pin| Ok((*pin, apt.offered(&pin.package)?))).collect::<Result<Vec<_>>>()?;
    let gone: Vec<_> = offers.into_iter().filter(|(pin, offers)| !offers.0.contains(pin)).collect();
    let used = if gone.is_empty() {
        pinned.clone()
    } else {
        ensure!(allows_unpinned(), "{}", refusal(&gone, &archives::folder()?));
        replace(pinned, &gone)?
    };
    let mut wanted = Vec::new();
    for pin in &used.0 {
        if archives::find(pin)?.is_none() {
            wanted.push(pin.clone());
        }
    }
    apt.download(&Pins(wanted), &archives::folder()?)?;
    if used != *pinned {
        fs::write(&substitutes, used.to_string())
            .with_context(|| format!("writing {}", substitutes.display()))?;
    }
    Ok(used)
}

/// Puts the newest fitting offer in the place of every pin that has offers.
fn replace(pins: &Pins, offers: &[(&Pin, Pins)]) -> Result<Pins> {
    let replaced = pins.0.iter().map(|pin| {
        let Some((_, offers)) = offers.iter().find(|(offered, _)| *offered == pin) else {
            return Ok(pin.clone());
        };
        // The library source of another release can't be edited.
        let is_rust = pin.package.contains("rust");
        match offers.0.iter().find(|offer| !is_rust || offer.version.starts_with(RUST_VERSION)) {
            Some(offer) => Ok(offer.clone()),
            None => bail!(
                "Debian offers {} of {}, and the standard library can be made from {RUST_VERSION} only \
                 (xtask/src/program/toolchain/standard_library.rs)",
                listed(offers),
                pin.package
            ),
        }
    });
    replaced.collect()
}

/// Says what is gone and what can be done.
fn refusal(gone: &[(&Pin, Pins)], archives: &Path) -> String {
    let lines = gone.iter().map(|(pin, offers)| {
        format!("    {}: pinned {}, offered {}\n", pin.package, pin.version, listed(offers))
    });
    format!(
        "Debian no longer offers what {FILE} names:\n{}\
         Do one of these:\n\
         - to build with what is offered, set {ALLOW_UNPINNED}=1; the result may have another hash\n\
         - to pin what is offered, run `cargo xtask toolchain pin`, then `cargo xtask build --write-hash`, and commit\n\
         - to build with what is pinned, take the packages from Debian's snapshot archive and put them into\n  {}",
        lines.collect::<String>(),
        archives.display()
    )
}

fn listed(offers: &Pins) -> String {
    let versions: Vec<_> = offers.0.iter().map(|offer| &offer.version[..]).collect();
    if versions.is_empty() { "nothing".to_owned() } else { versions.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(package: &str, version: &str) -> Pin {
        let hash = String::new();
        Pin { source: Source::Debian, package: package.into(), version: version.into(), hash }
    }

    #[test]
    fn refusal_names_package_pinned_and_offered_version_and_what_to_do() {
        let (libc, zlib) = (pin("libc6", "2.41-12+deb13u5"), pin("zlib1g", "1:1.3"));
        let gone = [(&libc, Pins(vec![pin("libc6", "2.41-12+deb13u6")])), (&zlib, Pins(Vec::new()))];
        let text = refusal(&gone, Path::new("/cache/archives"));
        for part in [
            "libc6: pinned 2.41-12+deb13u5, offered 2.41-12+deb13u6",
            "zlib1g: pinned 1:1.3, offered nothing",
            "X402_ESCROW_ALLOW_UNPINNED=1",
            "cargo xtask toolchain pin",
            "/cache/archives",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn only_what_is_gone_is_replaced() {
        let pins = Pins(vec![pin("libc6", "1"), pin("zlib1g", "1")]);
        let offers = [(&pins.0[0], Pins(vec![pin("libc6", "3"), pin("libc6", "2")]))];
        assert_eq!(replace(&pins, &offers).unwrap(), Pins(vec![pin("libc6", "3"), pin("zlib1g", "1")]));
    }

    #[test]
    fn another_release_of_rust_is_no_replacement() {
        let pins = Pins(vec![pin("rustc-web", "1.96.0+dfsg1-1")]);
        let refused = |offers| replace(&pins, &[(&pins.0[0], Pins(offers))]).unwrap_err().to_string();
        assert!(
            refused(vec![pin("rustc-web", "1.98.0+dfsg1-1")]).contains("offers 1.98.0+dfsg1-1 of rustc-web")
        );
        assert!(refused(Vec::new()).contains("offers nothing of rustc-web"));
        let newer = pin("rustc-web", "1.96.1+dfsg1-1");
        let offers = [(&pins.0[0], Pins(vec![newer.clone()]))];
        assert_eq!(replace(&pins, &offers).unwrap().0, [newer]);
    }
}
