//! Rust's standard library, taught to compile for `target_os = "solana"`.
//!
//! The program itself needs no `std`, but crates under Anchor do. Upstream has no such target, so a private
//! copy of the source is edited; where an edit no longer fits, nothing is built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::debian::{Packages, RUST_VERSION};
use crate::{cache, progress};

/// One edit of a file under `library/std/src`.
struct Edit {
    file: &'static str,
    /// Text that occurs exactly `occurrences` times, each of which is replaced.
    find: &'static str,
    occurrences: usize,
    replace: &'static str,
}

const EDITS: [Edit; 6] = [
    Edit {
        file: "sys/alloc/mod.rs",
        find: "    target_arch = \"xtensa\",\n)) {",
        occurrences: 1,
        replace: "    target_arch = \"xtensa\",\n    target_arch = \"bpf\",\n)) {",
    },
    Edit {
        file: "sys/alloc/mod.rs",
        find: "    target_os = \"zkvm\" => {",
        occurrences: 1,
        replace: "    target_os = \"solana\" => {\n        mod solana;\n    }\n    target_os = \"zkvm\" => {",
    },
    // The virtual machine has no entropy: `unsupported`, as on vexos.
    Edit {
        file: "sys/random/mod.rs",
        find: "target_os = \"vexos\",",
        occurrences: 2,
        replace: "target_os = \"vexos\",\n    target_os = \"solana\",",
    },
    // No operating system, so no error codes of one: `generic`, as on zkvm.
    Edit {
        file: "sys/io/error/mod.rs",
        find: "target_os = \"zkvm\",",
        occurrences: 1,
        replace: "target_os = \"zkvm\",\n        target_os = \"solana\",",
    },
    Edit {
        file: "sys/thread_local/mod.rs",
        find: "target_os = \"zkvm\",",
        occurrences: 2,
        replace: "target_os = \"zkvm\",\n        target_os = \"solana\",",
    },
    // The cache of a hash map's keys is a writable global, which SBPF has no place for.
    Edit {
        file: "hash/random.rs",
        find: "        thread_local!(static KEYS",
        occurrences: 1,
        replace: "        if cfg!(target_os = \"solana\") {\n            return RandomState { k0: 0, k1: 0 };\n        \
                  }\n        thread_local!(static KEYS",
    },
];

/// The module that the second edit declares.
const ALLOCATOR_FILE: &str = "sys/alloc/solana.rs";
const ALLOCATOR: &str = include_str!("../../../../toolchain/standard-library/solana.rs");

/// A sysroot for rustc with the edited library source, in the cache.
pub(crate) fn ready(packages: &Packages) -> Result<PathBuf> {
    let part = format!("standard-library-{RUST_VERSION}-{}", &fingerprint(packages)[..12]);
    cache::part(&part, |folder| {
        let library = folder.join("lib/rustlib/src/rust/library");
        cache::create_folder(&library)?;
        let mut copy = Command::new("cp");
        copy.arg("-r").arg(packages.library_source().join(".")).arg(&library);
        progress::run("Preparing Rust's standard library for Solana", &mut copy, &folder.join("log.txt"))?;
        edit(&library.join("std/src"))?;
        // Build scripts and procedural macros run here, so they need the host's library too.
        let host = "lib/rustlib/x86_64-unknown-linux-gnu";
        std::os::unix::fs::symlink(packages.prefix().join(host), folder.join(host))
            .context("linking the host's standard library")
    })
}

fn edit(source: &Path) -> Result<()> {
    for edit in &EDITS {
        let path = source.join(edit.file);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let edited = edit.apply(&text)?;
        fs::write(&path, edited).with_context(|| format!("writing {}", path.display()))?;
    }
    let path = source.join(ALLOCATOR_FILE);
    fs::write(&path, ALLOCATOR).with_context(|| format!("writing {}", path.display()))
}

impl Edit {
    fn apply(&self, text: &str) -> Result<String> {
        let found = text.matches(self.find).count();
        ensure!(
            found == self.occurrences,
            "rustc {RUST_VERSION}'s library/std/src/{} has changed: expected {:?} {} times, found it {found} times",
            self.file,
            self.find,
            self.occurrences,
        );
        Ok(text.replace(self.find, self.replace))
    }
}

/// Everything the edited library is made from.
fn fingerprint(packages: &Packages) -> String {
    let mut hash = Sha256::new();
    hash.update(packages.used.to_string());
    for edit in &EDITS {
        for text in [edit.file, edit.find, edit.replace] {
            hash.update(text.len().to_le_bytes());
            hash.update(text);
        }
    }
    hash.update(ALLOCATOR);
    format!("{:x}", hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_that_no_longer_fits_is_refused() {
        let [edit, ..] = EDITS;
        assert!(edit.apply("something else").unwrap_err().to_string().contains("found it 0 times"));
        let twice = edit.find.repeat(2);
        assert!(edit.apply(&twice).unwrap_err().to_string().contains("found it 2 times"));
        assert_eq!(edit.apply(edit.find).unwrap(), edit.replace);
    }
}
