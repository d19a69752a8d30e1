//! The program's SHA-256 as docs/reproducible-build.md states it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

const FILE: &str = "docs/reproducible-build.md";
/// What comes before the hash, on a line of its own.
const LINE: &str = "SHA-256 of `target/deploy/x402_escrow.so`: `";

/// Compares the stated hash with that of what was built. Returns what there is to tell.
///
/// # Errors
///
/// If they differ, and the toolchain does not.
pub(crate) fn check(root: &Path, built: &str, differences: &[String]) -> Result<String> {
    verdict(stated(&read(root)?)?, built, differences)
}

/// States the hash of what was built.
///
/// # Errors
///
/// If it is another than the stated one, and the toolchain is not the pinned one: nobody else would get that hash.
pub(crate) fn write(root: &Path, built: &str, differences: &[String]) -> Result<()> {
    let text = read(root)?;
    let stated = stated(&text)?;
    if stated == built {
        eprintln!("{FILE} is up to date");
        return Ok(());
    }
    if !differences.is_empty() {
        bail!("this is not the pinned toolchain, so its hash is not stated:\n{}", listed(differences));
    }
    fs::write(root.join(FILE), text.replace(stated, built)).with_context(|| format!("writing {FILE}"))?;
    eprintln!("Wrote {FILE}");
    Ok(())
}

/// The stated hash.
///
/// # Errors
///
/// If the page can't be read or states none.
pub(crate) fn stated_in(root: &Path) -> Result<String> {
    Ok(stated(&read(root)?)?.to_owned())
}

fn read(root: &Path) -> Result<String> {
    fs::read_to_string(root.join(FILE)).with_context(|| format!("reading {FILE}"))
}

fn stated(text: &str) -> Result<&str> {
    let hash = text.lines().find_map(|line| line.strip_prefix(LINE)?.strip_suffix('`'));
    hash.filter(|hash| hash.len() == 64 && hash.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .with_context(|| format!("{FILE} states no hash on a line \"{LINE}…`\""))
}

fn verdict(stated: &str, built: &str, differences: &[String]) -> Result<String> {
    if built == stated {
        return Ok(format!("The program's SHA-256 is the stated one: {stated}"));
    }
    if differences.is_empty() {
        bail!(
            "the program's SHA-256 is {built}, and {FILE} states {stated}.\nIf its source or toolchain was meant to \
             change, run `cargo xtask build --write-hash` and commit the page"
        );
    }
    Ok(format!(
        "NOT VERIFIED: the program's SHA-256 is {built}, {FILE} states {stated}, and this is not the pinned toolchain, \
         so nothing follows from the difference:\n{}",
        listed(differences)
    ))
}

fn listed(differences: &[String]) -> String {
    differences.iter().map(|difference| format!("    {difference}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_read_from_its_line() {
        let hash = "0a".repeat(32);
        assert_eq!(stated(&format!("# Title\n\n{LINE}{hash}`\n")).unwrap(), hash);
        assert!(stated("# Title\n").is_err());
        assert!(stated(&format!("{LINE}0a`\n")).is_err());
    }

    #[test]
    fn committed_page_states_a_hash() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        stated(&read(root).unwrap()).unwrap();
    }

    #[test]
    fn same_bytes_are_verified_whatever_made_them() {
        assert!(verdict("a", "a", &[]).unwrap().contains("is the stated one"));
        assert!(
            verdict("a", "a", &["libc6 is 2, pinned is 1".to_owned()]).unwrap().contains("is the stated one")
        );
    }

    #[test]
    fn other_bytes_are_an_error_with_the_pinned_toolchain_only() {
        assert!(verdict("a", "b", &[]).unwrap_err().to_string().contains("--write-hash"));
        let told = verdict("a", "b", &["libc6 is 2, pinned is 1".to_owned()]).unwrap();
        assert!(told.starts_with("NOT VERIFIED") && told.contains("libc6 is 2"), "{told}");
    }
}
