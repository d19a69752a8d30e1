//! LLVM with its BPF back end as a shared library, linked from the static ones in two wheels of PyPI's.
//!
//! It is the first LLVM whose BPF back end takes aggregate returns and more than five arguments. PyPI keeps
//! every version that it has had, where a Linux distribution has one at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::archives;
use super::pins::{FILE, Pin, Pins, Source};
use crate::{cache, python};

/// Everything but the back ends of other machines.
const LLVM: &str = "mlc-llvm-static";
/// Those back ends, of which BPF's is taken.
const BACK_ENDS: &str = "mlc-llvm-static-extra-targets";
/// Where both wheels have the static libraries.
const STATIC_LIBRARIES: &str = "mlc_llvm_static/static/lib";

/// A folder with the shared library and nothing else: `sbpf-linker` opens the first `libLLVM*` it finds.
pub(crate) fn ready(pins: &Pins) -> Result<PathBuf> {
    let pins = pins.from(Source::Pypi);
    let (llvm, back_ends) = (pins.get(Source::Pypi, LLVM)?, pins.get(Source::Pypi, BACK_ENDS)?);
    cache::part(&format!("llvm-{}-{}", llvm.version, pins.name()), |folder| {
        let mut libraries = unpack(llvm, folder, "libLLVM")?;
        libraries.extend(unpack(back_ends, folder, "libLLVMBPF")?);
        let compression = unpack(llvm, folder, "libz")?;
        link(&libraries, &compression, &folder.join("libLLVM.so"))?;
        for pin in [llvm, back_ends] {
            cache::remove_folder(&folder.join(&pin.package))?;
        }
        Ok(())
    })
}

/// Unpacks a wheel, unless that is done, and returns the static libraries whose names start with `prefix`.
fn unpack(pin: &Pin, folder: &Path, prefix: &str) -> Result<Vec<PathBuf>> {
    let unpacked = folder.join(&pin.package);
    if !unpacked.exists() {
        eprintln!("Unpacking {} {}", pin.package, pin.version);
        let mut unzip = Command::new(python::system()?);
        unzip.args(["-m", "zipfile", "-e"]).arg(fetched(pin)?).arg(&unpacked);
        let status = unzip.status().context("running python3")?;
        ensure!(status.success(), "{} could not be unpacked: is the disk full?", pin.package);
    }
    let libraries = unpacked.join(STATIC_LIBRARIES);
    let entries = fs::read_dir(&libraries).with_context(|| format!("reading {}", libraries.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("reading {}", libraries.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(prefix) && name.ends_with(".a") {
            found.push(path);
        }
    }
    ensure!(!found.is_empty(), "{} {} has no {prefix}*.a", pin.package, pin.version);
    found.sort();
    Ok(found)
}

/// The wheel, from the cache or from PyPI.
fn fetched(pin: &Pin) -> Result<PathBuf> {
    if let Some(archive) = archives::find(pin)? {
        return Ok(archive);
    }
    let Pin { package, version, .. } = pin;
    let folder = archives::folder()?;
    python::fetch(package, version, &folder).with_context(|| {
        format!(
            "{package} {version}, which {FILE} pins, could not be fetched from PyPI. If PyPI no longer offers it, put \
             another version and its SHA-256 there, or the file {} into {}",
            archives::names(pin).join(" or "),
            folder.display()
        )
    })?;
    archives::get(pin)
}

fn link(libraries: &[PathBuf], compression: &[PathBuf], output: &Path) -> Result<()> {
    eprintln!("Linking LLVM (seconds)");
    let status = Command::new("cc")
        .args(["-shared", "-Wl,-z,defs", "-o"])
        .arg(output)
        .arg("-Wl,--whole-archive")
        .args(libraries)
        .arg("-Wl,--no-whole-archive")
        .args(compression)
        // By its full name, which is there without a C++ compiler too.
        .args(["-l:libstdc++.so.6", "-lm", "-lpthread", "-ldl"])
        .status()
        .context("running cc: on Debian, apt-get install gcc")?;
    ensure!(status.success(), "LLVM could not be linked ({status})");
    Ok(())
}
