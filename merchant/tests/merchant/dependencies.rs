use std::{collections::BTreeSet, process::Command};

/// Packages that a merchant need not compile; by their beginnings, since they come in families.
const TOO_MUCH: [&str; 7] = [
    "sqlx",
    "solana-client",
    "solana-rpc",
    "solana-sdk ",
    "solana-transaction-status",
    "x402-escrow-agent",
    "x402-escrow-verifier",
];

#[test]
fn a_merchant_compiles_neither_sql_nor_a_solana_client() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--package", env!("CARGO_PKG_NAME"), "--edges", "normal,build"])
        .args(["--prefix", "none", "--format", "{p}", "--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "cargo tree: {}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let packages: BTreeSet<_> = tree.lines().collect();
    assert!(packages.iter().any(|package| package.starts_with("axum ")), "no tree: {packages:?}");
    let too_much = |package: &&&str| TOO_MUCH.iter().any(|start| package.starts_with(start));
    let found: Vec<_> = packages.iter().filter(too_much).collect();
    assert!(found.is_empty(), "the merchant's layer must not depend on {found:?}; see `cargo tree --invert`");
}
