//! Python, and packages for it in virtual environments in the cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{cache, checkout, progress};

/// The Python of this system.
pub(crate) fn system() -> Result<PathBuf> {
    checkout::find_program("python3")
        .context("python3 is missing: on Debian, apt-get install python3 python3-venv")
}

/// A Python with packages. `name` changes when they do.
pub(crate) fn with(name: &str, packages: impl FnOnce(&mut Command)) -> Result<PathBuf> {
    let environment = cache::part(name, |folder| {
        let log = folder.join("log.txt");
        let environment = folder.join("environment");
        let mut venv = Command::new(system()?);
        venv.args(["-m", "venv", "--copies"]).arg(&environment);
        progress::run(&format!("Making {name}"), &mut venv, &log)?;
        let mut pip = pip(&environment, "install");
        pip.arg("--quiet");
        packages(&mut pip);
        progress::run(&format!("Installing {name}"), &mut pip, &log)
    })?;
    Ok(environment.join("environment/bin/python"))
}

/// Fetches one wheel for x86_64 Linux into `folder`.
pub(crate) fn fetch(package: &str, version: &str, folder: &Path) -> Result<()> {
    let log = folder.join("pip.log");
    let environment = folder.join("pip.partial");
    let mut venv = Command::new(system()?);
    venv.args(["-m", "venv", "--clear"]).arg(&environment);
    progress::run("Making an environment for pip", &mut venv, &log)?;
    let mut download = pip(&environment, "download");
    download
        .args([
            "--no-deps",
            "--only-binary=:all:",
            "--platform=manylinux_2_28_x86_64",
            "--python-version=3.12",
        ])
        .arg("--dest")
        .arg(folder)
        .arg(format!("{package}=={version}"));
    progress::run(&format!("Fetching {package} {version} from PyPI"), &mut download, &log)?;
    cache::remove_folder(&environment)
}

fn pip(environment: &Path, command: &str) -> Command {
    let mut pip = Command::new(environment.join("bin/python"));
    pip.args(["-m", "pip", command, "--disable-pip-version-check"]);
    pip
}
