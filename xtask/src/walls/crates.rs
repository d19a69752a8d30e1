//! Rule: a crate depends only on those that it may, and two of them stay light.

use std::{collections::BTreeSet, process::Command};

use super::repository::{Package, root};

/// Each package, which of this repository's it may use, and which its tests may use besides.
const MAY_USE: [(&str, &[&str], &[&str]); 18] = [
    ("interface", &[], &[]),
    ("wire", &["interface"], &[]),
    ("domain", &["wire", "interface"], &[]),
    ("merchant", &["wire", "interface"], &[]),
    ("agent", &["wire", "interface"], &[]),
    ("verifier", &["domain", "wire", "interface"], &["agent", "merchant"]),
    ("sandbox", &["agent", "wire", "interface"], &[]),
    ("tests", &["agent", "domain", "tests/load", "sandbox", "wire", "interface"], &["verifier", "merchant"]),
    ("tests/load", &["domain", "wire", "interface"], &[]),
    ("tests/peer-facilitator", &[], &[]),
    ("tests/peer-vouchers", &[], &[]),
    ("tests/simulation", &["verifier", "domain", "wire", "interface"], &[]),
    ("fuzz", &["agent", "verifier", "domain", "wire", "interface"], &[]),
    ("xtask", &[], &[]),
    ("programs/escrow", &["interface"], &[]),
    ("toolchain/arithmetic-probe", &[], &[]),
    ("toolchain/compiler-shim", &[], &[]),
    ("toolchain/idl-builder", &[], &[]),
];

/// What must not be compiled with a crate, by the beginnings of names, since packages come in families.
const TOO_MUCH: [(&str, &[&str]); 2] = [
    (
        "x402-escrow-domain",
        &[
            "axum ",
            "hyper",
            "reqwest",
            "solana-client",
            "solana-rpc",
            "sqlx",
            "tokio",
            "x402-escrow-verifier",
        ],
    ),
    (
        "x402-escrow-merchant",
        &[
            "solana-client",
            "solana-rpc",
            "solana-sdk ",
            "solana-transaction-status",
            "sqlx",
            "x402-escrow-agent",
            "x402-escrow-domain",
            "x402-escrow-verifier",
        ],
    ),
];

/// What `package` depends on and may not.
fn broken(package: &Package) -> Vec<String> {
    let manifest = format!("{}/Cargo.toml", package.folder);
    let Some((_, may, tests_may)) = MAY_USE.iter().find(|(folder, ..)| *folder == package.folder) else {
        return vec![format!("{manifest}: say in MAY_USE what this package may use")];
    };
    let uses = package.uses.iter().filter(|used| !may.contains(&used.as_str()));
    let uses = uses.map(|used| format!("{manifest} depends on {used}, and may depend on {may:?}"));
    let tests_use = package.tests_use.iter();
    let tests_use =
        tests_use.filter(|used| !may.contains(&used.as_str()) && !tests_may.contains(&used.as_str()));
    let tests_use =
        tests_use.map(|used| format!("tests of {manifest} depend on {used}, and may on {tests_may:?}"));
    uses.chain(tests_use).collect()
}

/// Those lines of a dependency tree that start with one of `names`.
fn found<'a>(tree: &'a str, names: &[&str]) -> BTreeSet<&'a str> {
    tree.lines().filter(|package| names.iter().any(|name| package.starts_with(name))).collect()
}

/// All that is compiled with a package, one a line.
fn tree(package: &str) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", package, "--edges", "normal,build", "--prefix", "none"])
        .args(["--format", "{p}", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walls::repository;

    #[test]
    fn crates_depend_only_on_those_that_they_may_use() {
        let found: Vec<_> = repository::packages().iter().flat_map(broken).collect();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    #[test]
    fn domain_and_merchant_compile_neither_sql_nor_a_solana_client() {
        for (package, names) in TOO_MUCH {
            let tree = tree(package);
            assert!(tree.contains("x402-escrow-wire "), "no tree: {tree}");
            let found = found(&tree, names);
            assert!(found.is_empty(), "{package} must not depend on {found:?}; see `cargo tree --invert`");
        }
    }

    #[test]
    fn a_dependency_that_points_upwards_is_found() {
        let package = |folder: &str, uses: &[&str], tests_use: &[&str]| Package {
            folder: folder.to_owned(),
            uses: uses.iter().map(ToString::to_string).collect(),
            tests_use: tests_use.iter().map(ToString::to_string).collect(),
            starts: Vec::new(),
        };
        assert!(broken(&package("verifier", &["domain", "wire"], &["agent"])).is_empty());
        assert_eq!(broken(&package("domain", &["wire", "verifier"], &[])).len(), 1);
        assert_eq!(broken(&package("domain", &[], &["verifier"])).len(), 1);
        assert_eq!(broken(&package("agent", &["domain"], &[])).len(), 1);
        assert_eq!(broken(&package("new", &[], &[])).len(), 1);
    }

    #[test]
    fn a_package_that_is_too_much_is_found_deep_in_the_tree() {
        let tree = "x402-escrow-domain v0.1.0\nserde v1.0.0\ntokio-util v0.7.0\nsolana-sdk v4.0.0\n";
        assert_eq!(found(tree, TOO_MUCH[0].1), BTreeSet::from(["tokio-util v0.7.0"]));
    }
}
