//! `docs/http-api.md` lists every error code and every key of the configuration.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::{fs, path::Path, process::Command};

use x402_escrow_wire::error_code::ErrorCode;

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/http-api.md")).unwrap()
}

#[test]
fn every_error_code_is_listed() {
    let page = page();
    for code in ErrorCode::ALL {
        let listed = code.as_str().replace("invalid_auth_capture_svm_", "…_");
        assert!(page.contains(&format!("| `{listed}` |")), "{code} is not in docs/http-api.md");
    }
}

#[test]
fn every_key_of_the_configuration_is_listed() {
    // The binary names the keys that it knows where it is given one that it doesn't.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("verifier.toml");
    fs::write(&file, "unknown = 1").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_verifier"))
        .args(["--check-config", "--config"])
        .arg(&file)
        .env_clear()
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let (_, known) = text.split_once("expected one of ").unwrap();
    let keys: Vec<_> = known.lines().next().unwrap().split(", ").collect();
    assert!(keys.len() > 15, "{text}");
    let page = page();
    for key in keys {
        assert!(page.contains(&format!("| {key} |")), "{key} is not in docs/http-api.md");
    }
}
