//! The target that rustc is asked to compile for, and the flags it is given.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// The file's name is the target's: Solana's own, which `cfg`s and other tools expect.
pub(crate) const NAME: &str = "sbpf-solana-solana";

/// For everything that is compiled for the virtual machine.
pub(crate) const COMPILER_FLAGS: [&str; 5] = [
    "-Zunstable-options",
    // The panic machinery needs writable globals, which SBPF has no place for.
    "-Cpanic=immediate-abort",
    "-Crelocation-model=static",
    // There is one thread, and BPF has no atomics narrower than 32 bits.
    "-Cpasses=lower-atomic",
    "-Ctarget-cpu=v3",
];

/// For what is linked.
pub(crate) const LINKER_FLAGS: [&str; 4] = [
    "-Clink-arg=--arch=v3",
    // The arguments on the stack are laid out for version 3's frames of 4,096 bytes.
    "-Clink-arg=--llvm-args=-bpf-stack-size=4096",
    // Solana's virtual machine reads and writes words at any address. Without this, LLVM takes every field of a packed
    // structure and every address in an argument apart into bytes: a third of the program, and of its compute units.
    "-Clink-arg=--cpu-features=+allows-misaligned-mem-access",
    "-Clink-arg=--deploy=false",
];

/// Writes the target's specification, made from the one rustc has for bare BPF, and returns its path.
pub(crate) fn write(rustc: &Path, folder: &Path) -> Result<PathBuf> {
    let output = Command::new(rustc)
        .args(["-Zunstable-options", "--print", "target-spec-json", "--target", "bpfel-unknown-none"])
        .env("RUSTC_BOOTSTRAP", "1")
        .output()
        .context("running Debian's rustc")?;
    ensure!(
        output.status.success(),
        "Debian's rustc does not know bpfel-unknown-none: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut target: Value = serde_json::from_slice(&output.stdout).context("rustc's target specification")?;
    target["os"] = json!("solana");
    target["vendor"] = json!("solana");
    target["atomic-cas"] = json!(true);
    target["min-atomic-width"] = json!(8);
    target["metadata"]["std"] = json!(true);

    let path = folder.join(NAME).with_extension("json");
    super::scripts::write_if_changed(&path, &format!("{target:#}\n"))?;
    Ok(path)
}
