//! Solana's own compiler: `cargo build-sbf` and the platform tools it downloads.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::checkout;
use crate::toolchain::{PROGRAM_ID, Program};

/// `cargo build-sbf` with its platform tools in place.
pub(crate) struct PlatformTools {
    program: PathBuf,
    pub(crate) identity: String,
}

/// Finds `cargo-build-sbf` on `PATH`, if the platform tools it names are already downloaded. Where they are
/// not, it would fetch them from GitHub, which is not reachable everywhere.
pub(crate) fn find() -> Result<Option<PlatformTools>> {
    let Some(program) = checkout::find_program("cargo-build-sbf") else { return Ok(None) };
    let output = Command::new(&program)
        .arg("--version")
        .env_remove("RUSTUP_TOOLCHAIN")
        .output()
        .with_context(|| format!("running {} --version", program.display()))?;
    let versions = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let tools = platform_tools_version(&versions).and_then(|version| {
        let home = PathBuf::from(env::var_os("HOME")?);
        Some(home.join(".cache/solana").join(version).join("platform-tools"))
    });
    match tools {
        Some(tools) if output.status.success() && tools.join("rust/bin/rustc").is_file() => {
            Ok(Some(PlatformTools { program, identity: versions }))
        }
        Some(tools) => {
            eprintln!(
                "{} is there without its platform tools: nothing in {}",
                program.display(),
                tools.display()
            );
            eprintln!("    using stock Rust; `cargo-build-sbf --install-only` would fetch them");
            Ok(None)
        }
        None => {
            eprintln!("{} --version names no platform tools; using stock Rust", program.display());
            Ok(None)
        }
    }
}

/// Reads `v1.51` from the line `platform-tools v1.51`.
fn platform_tools_version(versions: &str) -> Option<&str> {
    versions.lines().find_map(|line| line.trim().strip_prefix("platform-tools "))
}

impl PlatformTools {
    pub(crate) fn compile(&self, root: &Path, program: &Program, program_id: &str) -> Result<PathBuf> {
        let output_directory = root.join("target/sbf/platform-tools");
        let status = Command::new(&self.program)
            .arg("--manifest-path")
            .arg(root.join(program.folder).join("Cargo.toml"))
            .arg("--sbf-out-dir")
            .arg(&output_directory)
            .args(["--", "--locked"])
            .env(PROGRAM_ID, program_id)
            .env_remove("RUSTUP_TOOLCHAIN")
            .status()
            .context("running cargo-build-sbf")?;
        ensure!(status.success(), "cargo-build-sbf could not compile {} ({status})", program.folder);
        Ok(output_directory.join(format!("{}.so", program.library)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platform_tools_version_is_read_from_its_line() {
        let versions = "solana-cargo-build-sbf 3.0.0\nplatform-tools v1.51\nrustc 1.84.1";
        assert_eq!(platform_tools_version(versions), Some("v1.51"));
        assert_eq!(platform_tools_version("solana-cargo-build-sbf 3.0.0"), None);
    }
}
