//! Takes from the environment what is up to those who deploy: the program's address, and who is told of a flaw.

use std::env;

fn main() {
    set("X402_ESCROW_PROGRAM_ID", "EscCGhKaoAfdc5duTCF8ofGLLP11LfXnV5AZdontFE3T");
    set("X402_ESCROW_PROJECT_URL", "README.md in the source");
    set("X402_ESCROW_SECURITY_CONTACT", "other:SECURITY.md in the source");
}

fn set(name: &str, default: &str) {
    println!("cargo::rerun-if-env-changed={name}");
    let value = env::var(name).unwrap_or_else(|_| default.to_owned());
    println!("cargo::rustc-env={name}={value}");
}
