//! `docs/http-api.md` lists every error code and every key of the configuration.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::{fs, path::Path};

use x402_escrow_verifier::config::KEYS;
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
    let page = page();
    for key in KEYS {
        assert!(page.contains(&format!("| `{key}` |")), "{key} is not in docs/http-api.md");
    }
}
