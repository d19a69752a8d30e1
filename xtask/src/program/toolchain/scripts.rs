//! Small shell scripts that start the compiler and the linker as they have to be started here.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};

/// Replaces what cargo tells rustc apart crates by (`-C metadata`) with the package's name, version and features.
///
/// cargo's own value depends on the checkout's path for crates of another workspace, and on cargo's version. It
/// goes into every symbol's name, and their order decides that of constants in the program.
const NAME_CRATES_BY_PACKAGE: &str = r#"
name="$CARGO_PKG_NAME $CARGO_PKG_VERSION"
for argument; do
    case $argument in feature=*) name="$name $argument" ;; esac
done
for argument; do
    shift
    case $argument in metadata=*) argument="metadata=$name" ;; esac
    set -- "$@" "$argument"
done
"#;

/// Writes a script that runs rustc with a C library and a sysroot of its own, and that keeps the paths of
/// `hidden`, each replaced by the name beside it, out of what it compiles.
pub(crate) fn rustc(
    script: &Path,
    loader: &Path,
    libraries: &Path,
    rustc: &Path,
    sysroot: &Path,
    hidden: &[(&Path, &str)],
) -> Result<()> {
    let remapped: Vec<_> =
        hidden.iter().map(|(path, name)| format!(" --remap-path-prefix {}={name}", quoted(path))).collect();
    let line = format!(
        "exec {} --library-path {} {} --sysroot {}{} \"$@\"",
        quoted(loader),
        quoted(libraries),
        quoted(rustc),
        quoted(sysroot),
        remapped.concat()
    );
    write(script, &format!("{NAME_CRATES_BY_PACKAGE}{line}"))
}

/// Writes a script that runs sbpf-linker with an LLVM of its own.
pub(crate) fn linker(script: &Path, llvm: &Path, linker: &Path) -> Result<()> {
    write(script, &format!("LD_LIBRARY_PATH={} exec {} \"$@\"", quoted(llvm), quoted(linker)))
}

/// Writes an executable shell script, and touches it only if it changes: cargo compiles everything again when
/// rustc is newer.
fn write(path: &Path, lines: &str) -> Result<()> {
    write_if_changed(path, &format!("#!/bin/sh\n{lines}\n"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("making {} executable", path.display()))
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
    use std::{io::ErrorKind, process::Command, thread::sleep, time::Duration};

    use super::*;

    /// Runs a script for rustc, with `sh` in the place of the loader, and returns what rustc gets.
    fn run(folder: &str, arguments: &[&str]) -> String {
        let folder = std::env::temp_dir().join(format!("{folder}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (script, loader) = (folder.join("rustc"), folder.join("loader"));
        write(&loader, "for argument; do echo \"$argument\"; done").unwrap();
        let hidden = [(folder.as_path(), "/checkout")];
        rustc(&script, &loader, Path::new("/l"), Path::new("/r"), Path::new("/s"), &hidden).unwrap();
        let mut command = Command::new(&script);
        command.args(arguments).env("CARGO_PKG_NAME", "a").env("CARGO_PKG_VERSION", "1.0.0");
        let output = loop {
            match command.output() {
                // A process that another test starts has the script open, as it is written, until it runs.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
                    sleep(Duration::from_millis(20))
                }
                output => break output.unwrap(),
            }
        };
        fs::remove_dir_all(&folder).unwrap();
        String::from_utf8(output.stdout).unwrap().replace(&folder.display().to_string(), "FOLDER")
    }

    #[test]
    fn crates_are_named_by_package_and_features_instead_of_what_cargo_says() {
        let arguments =
            ["--crate-name", "a", "--cfg", "feature=\"std\"", "-C", "metadata=0123", "-C", "x=it's a b"];
        let expected = "--library-path\n/l\n/r\n--sysroot\n/s\n--remap-path-prefix\nFOLDER=/checkout\n--crate-name\na\n\
                        --cfg\nfeature=\"std\"\n-C\nmetadata=a 1.0.0 feature=\"std\"\n-C\nx=it's a b\n";
        assert_eq!(run("xtask-rustc", &arguments), expected);
    }

    #[test]
    fn paths_are_one_word_of_a_script() {
        assert!(run("xtask it's rustc", &["-vV"]).ends_with("--remap-path-prefix\nFOLDER=/checkout\n-vV\n"));
    }
}
