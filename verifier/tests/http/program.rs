//! Which program the tests are about.

use x402_escrow_interface::{Address, deployment::LOCAL_PROGRAM_ID};

/// The escrow program: the local one, or what `target/deploy` was built for.
pub(crate) fn program() -> Address {
    match std::env::var("X402_ESCROW_PROGRAM_ID") {
        Ok(address) => address.parse().unwrap(),
        Err(_) => LOCAL_PROGRAM_ID,
    }
}
