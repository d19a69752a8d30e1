//! Finds what there is to read: the packages of every workspace, as cargo describes them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::source::Crate;
use crate::checkout;

/// The folder that has everything.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask has a parent folder").to_owned()
}

/// `path` as it is written from the root.
pub(super) fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

pub(super) fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// What cargo says about one package.
pub(super) struct Package {
    /// Its folder, from the root.
    pub(super) folder: String,
    /// Folders of this repository's packages that it depends on.
    pub(super) uses: Vec<String>,
    /// Those that only its tests depend on.
    pub(super) tests_use: Vec<String>,
    /// The first file of its library, of each program and of each test.
    pub(super) starts: Vec<PathBuf>,
}

impl Package {
    /// Its module trees, one for each library, program and test.
    pub(super) fn crates(&self) -> impl Iterator<Item = Crate> {
        self.starts.iter().map(|start| Crate::read(start, &read))
    }
}

/// All packages: those of the root's workspace, and those that are a workspace of their own.
pub(super) fn packages() -> Vec<Package> {
    let others = checkout::other_workspaces(&root()).unwrap();
    [root().join("Cargo.toml")].iter().chain(&others).flat_map(|manifest| workspace(manifest)).collect()
}

/// The package in `folder`.
pub(super) fn package(folder: &str) -> Package {
    let all = packages().into_iter().find(|package| package.folder == folder);
    all.unwrap_or_else(|| panic!("no package in {folder}/"))
}

fn workspace(manifest: &Path) -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked", "--offline", "--manifest-path"])
        .arg(manifest)
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    list(&metadata, "packages").iter().map(described).collect()
}

fn described(package: &Value) -> Package {
    let own = |of_tests: bool| {
        let wanted = move |dependency: &&Value| (dependency["kind"] == "dev") == of_tests;
        let paths = list(package, "dependencies").iter().filter(wanted);
        paths
            .filter_map(|dependency| dependency["path"].as_str())
            .map(|path| short(Path::new(path)))
            .collect()
    };
    let starts = list(package, "targets").iter().filter(|target| target["kind"][0] != "custom-build");
    Package {
        folder: short(Path::new(text(package, "manifest_path")).parent().unwrap()),
        uses: own(false),
        tests_use: own(true),
        starts: starts.map(|target| PathBuf::from(text(target, "src_path"))).collect(),
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("cargo metadata has no {key}"))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("cargo metadata has no {key}"))
}
