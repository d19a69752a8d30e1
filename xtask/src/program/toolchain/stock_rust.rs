//! Stock Rust as a compiler for Solana's virtual machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::debian::Packages;
use super::pins::{Pins, Source};
use super::{PROGRAM_ID, Program, cargo_pin, linker, llvm, scripts, standard_library, target};
use crate::{cache, checkout};

/// A small crate with the 128-bit arithmetic that LLVM calls.
const COMPILER_SHIM: Program = Program { folder: "toolchain/compiler-shim", library: "compiler_shim" };

/// rustc, the linker and the target, ready to be called through two small scripts.
pub(crate) struct StockRust {
    pub(crate) identity: String,
    /// How this differs from what is pinned.
    pub(crate) differences: Vec<String>,
    rustc: PathBuf,
    linker: PathBuf,
    target: PathBuf,
    /// Where cargo puts what it compiles.
    target_directory: PathBuf,
}

impl StockRust {
    /// Fetches and builds what is missing.
    pub(crate) fn ready(root: &Path) -> Result<Self> {
        let pins = Pins::read(root)?;
        let packages = Packages::ready(&pins)?;
        let llvm = llvm::ready(&pins)?;
        let sbpf_linker = linker::ready(&pins)?;
        let sysroot = standard_library::ready(&packages)?;

        let target_directory = root.join("target/sbf");
        cache::create_folder(&target_directory)?;
        let rustc = target_directory.join("rustc");
        let cargo_home = checkout::cargo_home()?;
        scripts::rustc(
            &rustc,
            &packages.loader(),
            &packages.libraries(),
            &packages.prefix().join("bin/rustc"),
            &sysroot,
            &[(&cargo_home, "/cargo"), (&sysroot, "/rust"), (root, "/x402-escrow")],
        )?;
        let linker = target_directory.join("sbpf-linker");
        scripts::linker(&linker, &llvm, &sbpf_linker)?;
        let target = target::write(&rustc, &target_directory)?;

        let used = packages.used.0.iter().cloned().chain([cargo_pin()?]).collect::<Pins>();
        let pinned = pins.0.iter().filter(|pin| matches!(pin.source, Source::Debian | Source::Rust));
        let differences = differences(&pinned.cloned().collect(), &used);
        let mut hash = Sha256::new();
        for path in [&rustc, &linker, &target] {
            hash.update(fs::read(path).with_context(|| format!("reading {}", path.display()))?);
        }
        hash.update(pins.to_string());
        hash.update(used.to_string());
        hash.update([&target::COMPILER_FLAGS[..], &target::LINKER_FLAGS[..]].concat().join(" "));
        let identity = format!("stock Rust {:x}", hash.finalize());
        Ok(Self { identity, differences, rustc, linker, target, target_directory })
    }

    pub(crate) fn compile(&self, root: &Path, program: &Program, program_id: &str) -> Result<PathBuf> {
        let compiler_flags = target::COMPILER_FLAGS.map(str::to_owned);
        let shim = self.build(root, &COMPILER_SHIM, program_id, "core", "shim", &compiler_flags)?;
        let mut flags = compiler_flags.to_vec();
        flags.push(format!("-Clinker={}", self.linker.display()));
        flags.extend(target::LINKER_FLAGS.map(str::to_owned));
        // An rlib's own dependencies are not pulled in, so both are named.
        for library in [COMPILER_SHIM.library, "solana_compiler_builtins"] {
            let path = file_of(&shim, library, "rlib")?;
            flags.push(format!("-Clink-arg={}", path.display()));
        }
        let artifacts = self.build(root, program, program_id, "std,panic_abort", "programs", &flags)?;
        file_of(&artifacts, program.library, "so")
    }

    /// Runs `cargo build` and returns what it says it made.
    fn build(
        &self,
        root: &Path,
        program: &Program,
        program_id: &str,
        standard_library: &str,
        target_directory: &str,
        flags: &[String],
    ) -> Result<Vec<Value>> {
        let mut cargo = checkout::cargo()?;
        without_profiles(&mut cargo);
        let child = cargo
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
            // Empty, they win over a wrapper in cargo's configuration too.
            .env("RUSTC_WRAPPER", "")
            .env("RUSTC_WORKSPACE_WRAPPER", "")
            .env(PROGRAM_ID, program_id)
            .stdout(Stdio::piped())
            .spawn()
            .context("running cargo")?;
        let output = child.wait_with_output().context("waiting for cargo")?;
        ensure!(output.status.success(), "{} could not be compiled ({})", program.folder, output.status);
        let messages = String::from_utf8(output.stdout).context("cargo's messages")?;
        messages.lines().map(|line| serde_json::from_str(line).context("cargo's messages")).collect()
    }
}

/// Keeps profiles that the environment sets for other builds away from this one.
fn without_profiles(cargo: &mut Command) {
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PROFILE_") {
            cargo.env_remove(name);
        }
    }
}

/// Says which parts are not the pinned ones.
fn differences(pinned: &Pins, used: &Pins) -> Vec<String> {
    let different = pinned.0.iter().filter(|pin| !used.0.contains(pin));
    different
        .map(|pin| match used.get(pin.source, &pin.package) {
            Ok(used) => format!("{} is {}, pinned is {}", pin.package, used.version, pin.version),
            Err(_) => format!("{} {} is pinned and was not used", pin.package, pin.version),
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifact_that_cargo_did_not_make_is_an_error() {
        let messages = [serde_json::json!({
            "reason": "compiler-artifact", "target": { "name": "escrow" }, "filenames": ["/t/libescrow.so"],
        })];
        assert_eq!(file_of(&messages, "escrow", "so").unwrap(), Path::new("/t/libescrow.so"));
        assert!(file_of(&messages, "escrow", "rlib").is_err());
        assert!(file_of(&messages, "other", "so").is_err());
    }

    #[test]
    fn every_part_that_is_not_the_pinned_one_is_named() {
        let hash = "a".repeat(64);
        let pins = |text: &str| Pins::parse(text).unwrap();
        let pinned = pins(&format!("debian libc6 1 {hash}\ndebian zlib1g 2 {hash}"));
        assert_eq!(differences(&pinned, &pinned), Vec::<String>::new());
        let used = pins(&format!("debian libc6 1 {hash}\ndebian zlib1g 3 {hash}"));
        assert_eq!(differences(&pinned, &used), ["zlib1g is 3, pinned is 2"]);
        assert_eq!(
            differences(&pinned, &pins("")),
            ["libc6 1 is pinned and was not used", "zlib1g 2 is pinned and was not used",]
        );
    }
}
