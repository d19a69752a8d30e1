//! What the on-chain program is compiled with, each part by exact version and hash: `toolchain/pins.txt`.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

pub(crate) const FILE: &str = "toolchain/pins.txt";

const HEADING: &str = "\
# What the on-chain program is compiled with: source, package, version, SHA-256 (of cargo: its commit).
# `cargo xtask toolchain pin` writes cargo and Debian's packages anew; the other lines are edited by hand.
";

/// Where a part comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A package of crates.io.
    Crates,
    /// A package of Debian's.
    Debian,
    /// A wheel of PyPI's.
    Pypi,
    /// The Rust toolchain that runs us.
    Rust,
}

impl Source {
    const ALL: [Self; 4] = [Self::Rust, Self::Crates, Self::Pypi, Self::Debian];

    fn name(self) -> &'static str {
        match self {
            Self::Crates => "crates.io",
            Self::Debian => "debian",
            Self::Pypi => "pypi",
            Self::Rust => "rust",
        }
    }

    /// How many hexadecimal digits a hash has: a commit's for `Rust`, else SHA-256.
    fn digits(self) -> usize {
        if self == Self::Rust { 40 } else { 64 }
    }
}

/// One part of the toolchain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    pub(crate) source: Source,
    pub(crate) package: String,
    pub(crate) version: String,
    pub(crate) hash: String,
}

/// All parts of the toolchain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pins(pub(crate) Vec<Pin>);

impl Pins {
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let text = fs::read_to_string(root.join(FILE)).with_context(|| format!("reading {FILE}"))?;
        Self::parse(&text).with_context(|| format!("{FILE} is damaged"))
    }

    pub(crate) fn write(&self, root: &Path) -> Result<()> {
        fs::write(root.join(FILE), self.to_string()).with_context(|| format!("writing {FILE}"))
    }

    /// Reads one pin a line; empty lines and lines that start with `#` say nothing.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().enumerate();
        let pins = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        pins.map(|(number, line)| Pin::parse(line).with_context(|| format!("line {}", number + 1))).collect()
    }

    /// The parts that come from `source`.
    pub(crate) fn from(&self, source: Source) -> Self {
        self.0.iter().filter(|pin| pin.source == source).cloned().collect()
    }

    pub(crate) fn get(&self, source: Source, package: &str) -> Result<&Pin> {
        self.0
            .iter()
            .find(|pin| pin.source == source && pin.package == package)
            .with_context(|| format!("{FILE} names no {package} of {}", source.name()))
    }

    /// A short name for exactly these parts, for a folder in the cache.
    pub(crate) fn name(&self) -> String {
        format!("{:x}", Sha256::digest(self.to_string()))[..12].to_owned()
    }
}

impl FromIterator<Pin> for Pins {
    fn from_iter<I: IntoIterator<Item = Pin>>(pins: I) -> Self {
        Self(pins.into_iter().collect())
    }
}

impl fmt::Display for Pins {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HEADING)?;
        self.0.iter().try_for_each(|pin| {
            let Pin { source, package, version, hash } = pin;
            writeln!(formatter, "{} {package} {version} {hash}", source.name())
        })
    }
}

impl Pin {
    fn parse(line: &str) -> Result<Self> {
        let [source, package, version, hash] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            bail!("expected a source, a package, a version and a hash");
        };
        let source = Source::ALL
            .into_iter()
            .find(|known| known.name() == source)
            .with_context(|| format!("{source:?} is no source: use crates.io, debian, pypi or rust"))?;
        ensure!(
            hash.len() == source.digits() && hash.bytes().all(|digit| digit.is_ascii_hexdigit()),
            "the hash of {package} must have {} hexadecimal digits",
            source.digits()
        );
        Ok(Self {
            source,
            package: package.to_owned(),
            version: version.to_owned(),
            hash: hash.to_ascii_lowercase(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_read_as_they_are_written() {
        let text = format!(
            "rust cargo 1.95.0 {}\n\n# a note\ndebian libc6 2.41-12 {}\n",
            "a".repeat(40),
            "B".repeat(64)
        );
        let pins = Pins::parse(&text).unwrap();
        assert_eq!(pins.0.len(), 2);
        assert_eq!(pins.get(Source::Debian, "libc6").unwrap().hash, "b".repeat(64));
        assert_eq!(Pins::parse(&pins.to_string()).unwrap(), pins);
        assert!(pins.get(Source::Pypi, "libc6").is_err());
    }

    #[test]
    fn damaged_lines_are_refused_by_number() {
        let refused = |text: &str| format!("{:#}", Pins::parse(text).unwrap_err());
        assert!(refused("# a note\ndebian libc6 2.41-12").contains("line 2: expected a source"));
        assert!(refused(&format!("npm left-pad 1.0.0 {}", "a".repeat(64))).contains("\"npm\" is no source"));
        assert!(refused("debian libc6 2.41-12 abc").contains("the hash of libc6 must have 64"));
    }

    #[test]
    fn committed_pins_name_every_part() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let pins = Pins::read(root).unwrap();
        assert_eq!(pins.from(Source::Pypi).0.len(), 2);
        assert_eq!(pins.from(Source::Debian).0.len(), 18);
        pins.get(Source::Rust, "cargo").unwrap();
        pins.get(Source::Crates, "sbpf-linker").unwrap();
    }
}
