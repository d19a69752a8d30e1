//! What the tests are built from.
//!
//! - [`keys`]: public test keys, the same at every run
//! - [`model`]: what the program must do, in plain Rust
//! - [`svm`]: the program on LiteSVM, with every balance checked after every step
//! - [`idl`]: the committed IDL
//! - [`local`]: a cluster of real processes
//! - [`database`]: a PostgreSQL database of its own
//! - [`vectors`]: golden vectors of the signed messages

pub mod database;
pub mod idl;
pub mod keys;
pub mod local;
pub mod model;
pub mod svm;
pub mod vectors;

use std::path::PathBuf;

pub use x402_escrow_sandbox::program_id;

/// A file of the checkout, by its path from the root.
pub fn checkout_file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
