//! Prints the IDL of the Anchor program in the folder given as the first argument; cargo's output goes to the
//! folder given as the second.

use std::env;
use std::io::Write;
use std::path::PathBuf;

use anchor_lang_idl::build::IdlBuilder;
use anyhow::{Context, Result, ensure};

fn main() -> Result<()> {
    // With this set, the builder asks rustup to install that toolchain, over the one that is in use.
    ensure!(
        env::var_os("RUSTUP_TOOLCHAIN").is_none(),
        "unset RUSTUP_TOOLCHAIN first, or use `cargo xtask idl`"
    );
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let (Some(program), Some(target), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: idl-builder PROGRAM_FOLDER TARGET_FOLDER");
    };
    let target =
        target.into_os_string().into_string().ok().context("the target folder's name is not UTF-8")?;
    let idl = IdlBuilder::new()
        .program_path(program)
        .skip_lint(true)
        .cargo_args(["--locked", "--lib", "--target-dir", &target].map(str::to_owned).to_vec())
        .build()?;
    let mut json = serde_json::to_string_pretty(&idl)?;
    json.push('\n');
    std::io::stdout().write_all(json.as_bytes()).context("writing the IDL")
}
