//! What the tests are built from.
//!
//! - [`keys`]: public test keys, the same at every run
//! - [`model`]: what the program must do, in plain Rust
//! - [`svm`]: the program on LiteSVM, with every balance checked after every step
//! - [`idl`]: the committed IDL
//! - [`vectors`]: golden vectors of the signed messages

pub mod idl;
pub mod keys;
pub mod local;
pub mod model;
pub mod svm;
pub mod vectors;

use std::{env, path::PathBuf};

use x402_escrow_interface::{Address, deployment::LOCAL_PROGRAM_ID};

/// The escrow program's address: `X402_ESCROW_PROGRAM_ID` where that is set, as for a program that was built for another
/// cluster, else a local cluster's.
///
/// # Panics
/// If the variable is no address.
pub fn program_id() -> Address {
    const VARIABLE: &str = "X402_ESCROW_PROGRAM_ID";
    match env::var(VARIABLE) {
        Ok(text) => {
            text.parse().unwrap_or_else(|_| panic!("{VARIABLE} is {text}: it must be an address in Base58"))
        }
        Err(_) => LOCAL_PROGRAM_ID,
    }
}

/// A file of the checkout, by its path from the root.
pub fn checkout_file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
