//! One hash over everything that the programs are compiled from.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// The root's manifest, of which `interface` inherits a part.
const ROOT_MANIFEST: &str = "Cargo.toml";

/// Folders with the programs' sources, manifests and lock files.
const SOURCES: [&str; 5] = [
    "interface",
    "programs",
    "toolchain/arithmetic-probe",
    "toolchain/compiler-shim",
    "toolchain/standard-library",
];

/// What the program's build script reads besides the address.
pub(crate) const VARIABLES: [&str; 2] = ["X402_ESCROW_PROJECT_URL", "X402_ESCROW_SECURITY_CONTACT"];

/// The hash, in hexadecimal, of every source file's path and content, of the variables that go into the program, of
/// its address, and of the toolchain's name.
pub(crate) fn of(root: &Path, toolchain: &str, program_id: &str) -> Result<String> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect(&root.join(source), &mut files)?;
    }
    files.sort();
    let manifest = root.join(ROOT_MANIFEST);
    let manifest =
        fs::read_to_string(&manifest).with_context(|| format!("reading {}", manifest.display()))?;
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update(bytes.len().to_le_bytes());
        hash.update(bytes);
    };
    add(toolchain.as_bytes());
    add(program_id.as_bytes());
    for variable in VARIABLES {
        add(env::var_os(variable).unwrap_or_default().as_encoded_bytes());
    }
    add(inherited(&manifest).as_bytes());
    for file in files {
        let name = file.strip_prefix(root).unwrap_or(&file);
        add(name.as_os_str().as_encoded_bytes());
        add(&fs::read(&file).with_context(|| format!("reading {}", file.display()))?);
    }
    Ok(format!("{:x}", hash.finalize()))
}

/// The sections of a workspace's manifest that its members inherit: which members there are, and the profiles of
/// another workspace, are no part of the programs.
fn inherited(manifest: &str) -> String {
    let mut is_inherited = false;
    let lines = manifest.lines().filter(|line| {
        if line.starts_with('[') {
            is_inherited = line.starts_with("[workspace.");
        }
        is_inherited
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// Adds a file, or all files of a folder but those that builds and editors leave there.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path).with_context(|| format!("reading {}", path.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("reading {}", path.display()))?;
        let name = entry.file_name();
        if name != "target" && !name.to_string_lossy().starts_with('.') {
            collect(&entry.path(), files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_with_every_source_the_toolchain_and_the_address() {
        let root = std::env::temp_dir().join(format!("xtask-fingerprint-{}", std::process::id()));
        for source in SOURCES {
            let folder = root.join(source);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("source.rs"), "one").unwrap();
        }
        let manifest = root.join(ROOT_MANIFEST);
        fs::write(&manifest, "[workspace]\nmembers = [\"a\"]\n\n[workspace.package]\nversion = \"1\"\n")
            .unwrap();
        let first = of(&root, "a", "1").unwrap();
        assert_eq!(of(&root, "a", "1").unwrap(), first);
        assert_ne!(of(&root, "b", "1").unwrap(), first);
        assert_ne!(of(&root, "a", "2").unwrap(), first);
        fs::create_dir(root.join("programs/target")).unwrap();
        fs::write(root.join("programs/target/built"), "").unwrap();
        assert_eq!(of(&root, "a", "1").unwrap(), first);
        for source in SOURCES {
            let file = root.join(source).join("source.rs");
            fs::write(&file, "two").unwrap();
            assert_ne!(of(&root, "a", "1").unwrap(), first, "{source}");
            fs::write(&file, "one").unwrap();
        }
        let other_members = "[workspace]\nmembers = [\"b\"]\n\n[workspace.package]\nversion = \"1\"\n";
        fs::write(&manifest, other_members).unwrap();
        assert_eq!(of(&root, "a", "1").unwrap(), first);
        fs::write(&manifest, other_members.replace("\"1\"", "\"2\"")).unwrap();
        assert_ne!(of(&root, "a", "1").unwrap(), first);
        fs::remove_dir_all(root).unwrap();
    }
}
