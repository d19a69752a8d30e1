//! Takes packages apart without installing them.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::RUST_VERSION;
use crate::toolchain::archives;
use crate::toolchain::pins::Pins;

/// Unpacks packages into `root`, and of Rust's source what is its standard library into `library`.
pub(crate) fn all(pins: &Pins, folder: &Path) -> Result<()> {
    eprintln!("Unpacking rustc {RUST_VERSION} (0.5 GB)");
    for pin in &pins.0 {
        let archive = archives::get(pin)?;
        if pin.package == "rust-web-src" {
            library_source(&archive, folder)?;
            continue;
        }
        let status = Command::new("dpkg-deb")
            .arg("--extract")
            .arg(&archive)
            .arg(folder.join("root"))
            .status()
            .context("running dpkg-deb")?;
        ensure!(status.success(), "{} could not be unpacked: is the disk full?", archive.display());
    }
    Ok(())
}

/// Unpacks `library` alone out of the whole of rustc's source.
fn library_source(archive: &Path, folder: &Path) -> Result<()> {
    let mut source = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(archive)
        .stdout(Stdio::piped())
        .spawn()
        .context("running dpkg-deb")?;
    let stream = source.stdout.take().context("dpkg-deb's output is not readable")?;
    let status = Command::new("tar")
        .arg("--directory")
        .arg(folder)
        .args(["--extract", "--strip-components=4", "--wildcards", "--no-wildcards-match-slash"])
        .arg("./usr/src/rustc-*/library")
        .stdin(stream)
        .status()
        .context("running tar")?;
    let source_status = source.wait().context("waiting for dpkg-deb")?;
    ensure!(
        status.success() && source_status.success() && folder.join("library/std").is_dir(),
        "{} has no library source where it was expected",
        archive.display()
    );
    Ok(())
}
