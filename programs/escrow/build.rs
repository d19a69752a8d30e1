//! Whom to tell of a flaw is up to whoever deploys: `security.txt` takes it from the environment.

use std::env;

fn main() {
    set("X402_ESCROW_PROJECT_URL", "README.md in the source");
    set("X402_ESCROW_SECURITY_CONTACT", "other:SECURITY.md in the source");
}

fn set(name: &str, default: &str) {
    println!("cargo::rerun-if-env-changed={name}");
    let value = env::var(name).unwrap_or_else(|_| default.to_owned());
    println!("cargo::rustc-env={name}={value}");
}
