//! The escrow program as it is committed, so that nobody builds a compiler for a program that has not changed. CI builds
//! it from its sources, and compares.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const PROGRAM: &str = "sandbox/program/x402_escrow.so";
/// Says which sources it was built from.
const RECORD: &str = "sandbox/program/x402_escrow.json";

const ADVICE: &str = "run `cargo xtask build --write-hash` and commit what it writes";

/// The program's bytes, if it was built from these sources.
pub(super) fn built_from(root: &Path, sources: &str) -> Option<Vec<u8>> {
    let (bytes, record) = read(root).ok()?;
    (record["sources"] == sources && record["sha256"] == hash(&bytes)).then_some(bytes)
}

/// Checks that it has the stated hash, and was built from these sources.
///
/// # Errors
/// If not.
pub(super) fn check(root: &Path, sources: &str, stated: &str) -> Result<()> {
    let (bytes, record) = read(root)?;
    let found = hash(&bytes);
    ensure!(found == stated, "{PROGRAM} has the SHA-256 {found}, and {stated} is stated: {ADVICE}");
    ensure!(record["sources"] == sources, "{RECORD} is of other sources: {ADVICE}");
    Ok(())
}

/// Writes what was built from these sources.
///
/// # Errors
/// If a file can't be written.
pub(super) fn write(root: &Path, sources: &str, program: &[u8]) -> Result<()> {
    if built_from(root, sources).is_some_and(|committed| committed == program) {
        eprintln!("{PROGRAM} is up to date");
        return Ok(());
    }
    let record = json!({ "sources": sources, "sha256": hash(program) });
    fs::write(root.join(PROGRAM), program).with_context(|| format!("writing {PROGRAM}"))?;
    fs::write(root.join(RECORD), format!("{record:#}\n")).with_context(|| format!("writing {RECORD}"))?;
    eprintln!("Wrote {PROGRAM} and {RECORD}");
    Ok(())
}

fn read(root: &Path) -> Result<(Vec<u8>, Value)> {
    let bytes = fs::read(root.join(PROGRAM)).with_context(|| format!("reading {PROGRAM}"))?;
    let record = fs::read(root.join(RECORD)).with_context(|| format!("reading {RECORD}"))?;
    let record = serde_json::from_slice(&record).with_context(|| format!("reading {RECORD}"))?;
    Ok((bytes, record))
}

fn hash(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_used_for_its_own_sources_and_with_its_own_bytes_only() {
        let root = std::env::temp_dir().join(format!("xtask-committed-{}", std::process::id()));
        fs::create_dir_all(root.join("sandbox/program")).unwrap();
        assert_eq!(built_from(&root, "a"), None);
        write(&root, "a", b"program").unwrap();
        assert_eq!(built_from(&root, "a").unwrap(), b"program");
        assert_eq!(built_from(&root, "b"), None);
        let stated = hash(b"program");
        check(&root, "a", &stated).unwrap();
        let refused = |sources: &str, stated: &str| check(&root, sources, stated).unwrap_err().to_string();
        assert!(refused("b", &stated).starts_with("sandbox/program/x402_escrow.json is of other sources"));
        assert!(refused("a", "00").contains("and 00 is stated: run `cargo xtask build --write-hash`"));

        fs::write(root.join(PROGRAM), b"another").unwrap();
        assert_eq!(built_from(&root, "a"), None);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn the_committed_program_has_the_stated_hash() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let (bytes, record) = read(root).unwrap();
        assert_eq!(record["sha256"], hash(&bytes));
        let page = fs::read_to_string(root.join("docs/reproducible-build.md")).unwrap();
        assert!(
            page.contains(&format!("`{}`", hash(&bytes))),
            "docs/reproducible-build.md states another hash"
        );
    }
}
