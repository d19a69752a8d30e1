//! Stock Rust as a compiler for Solana's virtual machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::debian::Packages;
use super::{Program, linker, standard_library, target};
use crate::{cache, checkout};

/// A small crate with the 128-bit arithmetic that LLVM calls.
const COMPILER_SHIM: Program = Program { folder: "toolchain/compiler-shim", library: "compiler_shim" };

/// rustc, the linker and the target, ready to be called through two small scripts.
pub(crate) struct StockRust {
    pub(crate) identity: String,
    rustc: PathBuf,
    linker: PathBuf,
    target: PathBuf,
    /// Where cargo puts what it compiles.
    target_directory: PathBuf,
}

impl StockRust {
    /// Fetches and builds what is missing.
    pub(crate) fn ready(root: &Path) -> Result<Self> {
        let packages = Packages::ready()?;
        let sbpf_linker = linker::ready()?;
        let sysroot = standard_library::ready(&packages)?;

        let target_directory = root.join("target/sbf");
        cache::create_folder(&target_directory)?;
        let loader = format!("{} --library-path", quoted(&packages.loader()));
        let libraries = quoted(&packages.libraries());
        let rustc = script(
            &target_directory.join("rustc"),
            &format!(
                "exec {loader} {libraries} {} --sysroot {} \"$@\"",
                quoted(&packages.prefix().join("bin/rustc")),
                quoted(&sysroot)
            ),
        )?;
        let llvm = quoted(&packages.llvm());
        let linker = script(
            &target_directory.join("sbpf-linker"),
            &format!(
                "LD_LIBRARY_PATH={llvm} exec {loader} {llvm}:{libraries} {} \"$@\"",
                quoted(&sbpf_linker)
            ),
        )?;
        let target = target::write(&rustc, &target_directory)?;

        let mut hash = Sha256::new();
        for path in [&rustc, &linker, &target] {
            hash.update(fs::read(path).with_context(|| format!("reading {}", path.display()))?);
        }
        hash.update(&packages.versions);
        hash.update([&target::COMPILER_FLAGS[..], &target::LINKER_FLAGS[..]].concat().join(" "));
        let identity = format!("stock Rust {:x}", hash.finalize());
        Ok(Self { identity, rustc, linker, target, target_directory })
    }

    pub(crate) fn compile(&self, root: &Path, program: &Program) -> Result<PathBuf> {
        let compiler_flags = target::COMPILER_FLAGS.map(str::to_owned);
        let shim = self.build(root, &COMPILER_SHIM, "core", "shim", &compiler_flags)?;
        let mut flags = compiler_flags.to_vec();
        flags.push(format!("-Clinker={}", self.linker.display()));
        flags.extend(target::LINKER_FLAGS.map(str::to_owned));
        // An rlib's own dependencies are not pulled in, so both are named.
        for library in [COMPILER_SHIM.library, "solana_compiler_builtins"] {
            let path = file_of(&shim, library, "rlib")?;
            flags.push(format!("-Clink-arg={}", path.display()));
        }
        let artifacts = self.build(root, program, "std,panic_abort", "programs", &flags)?;
        file_of(&artifacts, program.library, "so")
    }

    /// Runs `cargo build` and returns what it says it made.
    fn build(
        &self,
        root: &Path,
        program: &Program,
        standard_library: &str,
        target_directory: &str,
        flags: &[String],
    ) -> Result<Vec<Value>> {
        let child = checkout::cargo()?
            .args(["build", "--release", "--locked", "--lib", "-Zjson-target-spec", "-Zbuild-std-features="])
            .arg(format!("-Zbuild-std={standard_library}"))
            .arg("--message-format=json-render-diagnostics")
            .arg("--manifest-path")
            .arg(root.join(program.folder).join("Cargo.toml"))
            .arg("--target")
            .arg(&self.target)
            .arg("--target-dir")
            .arg(self.target_directory.join(target_directory))
            .env("RUSTC", &self.rustc)
            .env("RUSTC_BOOTSTRAP", "1")
            // Tells std's build script that a target it does not know may use it all the same.
            .env("RUSTC_BOOTSTRAP_SYNTHETIC_TARGET", "1")
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            .env_remove("RUSTC_WRAPPER")
            .env_remove("RUSTC_WORKSPACE_WRAPPER")
            .stdout(Stdio::piped())
            .spawn()
            .context("running cargo")?;
        let output = child.wait_with_output().context("waiting for cargo")?;
        ensure!(output.status.success(), "{} could not be compiled ({})", program.folder, output.status);
        let messages = String::from_utf8(output.stdout).context("cargo's messages")?;
        messages.lines().map(|line| serde_json::from_str(line).context("cargo's messages")).collect()
    }
}

/// The path of the file with that extension that cargo made of a library.
fn file_of(messages: &[Value], library: &str, extension: &str) -> Result<PathBuf> {
    messages
        .iter()
        .filter(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == library)
        .filter_map(|message| message["filenames"].as_array())
        .flatten()
        .filter_map(|name| name.as_str().map(PathBuf::from))
        .find(|path| path.extension().is_some_and(|found| found == extension))
        .with_context(|| format!("cargo made no {library}.{extension}"))
}

/// Writes an executable shell script, and touches it only if it changes: cargo compiles everything again when
/// rustc is newer.
fn script(path: &Path, line: &str) -> Result<PathBuf> {
    write_if_changed(path, &format!("#!/bin/sh\n{line}\n"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("making {} executable", path.display()))?;
    Ok(path.to_owned())
}

/// A path as one word of a shell script.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

pub(crate) fn write_if_changed(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn paths_are_one_shell_word() {
        let path = Path::new("/tmp/it's a folder");
        let output =
            Command::new("sh").arg("-c").arg(format!("printf %s {}", quoted(path))).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "/tmp/it's a folder");
    }

    #[test]
    fn artifact_that_cargo_did_not_make_is_an_error() {
        let messages = [serde_json::json!({
            "reason": "compiler-artifact", "target": { "name": "escrow" }, "filenames": ["/t/libescrow.so"],
        })];
        assert_eq!(file_of(&messages, "escrow", "so").unwrap(), Path::new("/t/libescrow.so"));
        assert!(file_of(&messages, "escrow", "rlib").is_err());
        assert!(file_of(&messages, "other", "so").is_err());
    }
}
