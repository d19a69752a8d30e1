//! apt with lists and sources of its own: the system's stay as they are, and no root is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::toolchain::pins::{Pin, Pins, Source};
use crate::{cache, checkout, progress};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// A stable release: it changes a few times a year.
const SUITE: &str = "http://deb.debian.org/debian trixie main";

pub(crate) struct Apt {
    folder: PathBuf,
    options: Vec<String>,
}

impl Apt {
    /// Reads Debian's package lists into a folder in the cache.
    pub(crate) fn updated() -> Result<Self> {
        check_system()?;
        let folder = cache::root()?.join("apt");
        cache::remove_folder(&folder)?;
        for name in ["lists/partial", "cache/archives/partial"] {
            cache::create_folder(&folder.join(name))?;
        }
        let source_list = folder.join("sources.list");
        fs::write(&source_list, format!("deb [arch=amd64 signed-by={KEYRING}] {SUITE}\n"))
            .with_context(|| format!("writing {}", source_list.display()))?;
        let shown = folder.display();
        let options = [
            format!("Dir::Etc::SourceList={shown}/sources.list"),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            "Dir::Etc::Preferences=/dev/null".to_owned(),
            "Dir::Etc::PreferencesParts=/dev/null".to_owned(),
            format!("Dir::State::Lists={shown}/lists"),
            format!("Dir::Cache={shown}/cache"),
            "Dir::State::status=/dev/null".to_owned(),
            "APT::Architecture=amd64".to_owned(),
            "APT::Architectures=amd64".to_owned(),
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false".to_owned(),
        ];
        let options = options.into_iter().flat_map(|option| ["-o".to_owned(), option]).collect();
        let apt = Self { folder, options };
        let mut update = apt.command("apt-get");
        progress::run("Reading Debian's package lists", update.arg("update"), &apt.log())
            .context("Debian's package lists could not be read")?;
        Ok(apt)
    }

    /// What Debian offers of a package, the newest first.
    pub(crate) fn offered(&self, package: &str) -> Result<Pins> {
        let output =
            self.command("apt-cache").args(["show", package]).output().context("running apt-cache")?;
        // It fails where there is no such package.
        Ok(read_offers(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Fetches packages into `folder`. apt checks them against Debian's archive keys.
    pub(crate) fn download(&self, pins: &Pins, folder: &Path) -> Result<()> {
        let mut download = self.command("apt-get");
        download.arg("download").current_dir(folder);
        download.args(pins.0.iter().map(|pin| format!("{}={}", pin.package, pin.version)));
        let title = "Fetching rustc from Debian (up to 180 MB)";
        progress::run(title, &mut download, &self.log()).context("Debian's packages could not be fetched")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(&self.options);
        command
    }

    fn log(&self) -> PathBuf {
        self.folder.with_extension("log")
    }
}

impl Drop for Apt {
    fn drop(&mut self) {
        if let Err(error) = cache::remove_folder(&self.folder) {
            eprintln!("Debian's package lists are left behind: {error:#}");
        }
    }
}

/// Reads the paragraphs that `apt-cache show` prints.
fn read_offers(text: &str) -> Pins {
    let field = |paragraph: &str, name: &str| {
        paragraph.lines().find_map(|line| line.strip_prefix(name).map(|value| value.trim().to_owned()))
    };
    let paragraphs = text.split("\n\n");
    let offers = paragraphs.filter_map(|paragraph| {
        Some(Pin {
            source: Source::Debian,
            package: field(paragraph, "Package:")?,
            version: field(paragraph, "Version:")?,
            hash: field(paragraph, "SHA256:")?,
        })
    });
    offers.collect()
}

fn check_system() -> Result<()> {
    const INSTEAD: &str = "Install Solana's own compiler instead: \
        sh -c \"$(curl -sSfL https://release.anza.xyz/stable/install)\", then `cargo-build-sbf --install-only`, \
        and run this again";
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "the program can be compiled with stock Rust on x86_64 Linux only.\n{INSTEAD}"
    );
    for program in ["apt-get", "apt-cache", "dpkg-deb", "tar"] {
        ensure!(
            checkout::find_program(program).is_some(),
            "compiling the program with stock Rust takes Debian's packages, and {program} is not here.\n{INSTEAD}"
        );
    }
    ensure!(
        Path::new(KEYRING).is_file(),
        "Debian's archive keys are missing ({KEYRING}): sudo apt-get install debian-archive-keyring"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_read_with_their_hashes() {
        let text = "Package: libc6\nVersion: 2.41-12+deb13u6\nSize: 1\nSHA256: aa\n\n\
                    Package: libc6\nVersion: 2.41-12+deb13u5\nSHA256: bb\nDescription: a\n text\n\n";
        let offers = read_offers(text);
        let read: Vec<_> = offers.0.iter().map(|pin| (&pin.version[..], &pin.hash[..])).collect();
        assert_eq!(read, [("2.41-12+deb13u6", "aa"), ("2.41-12+deb13u5", "bb")]);
        assert!(read_offers("").0.is_empty());
    }
}
