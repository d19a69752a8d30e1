//! A local cluster with all that a payment passes through, and who pays and is paid there.

pub use x402_escrow_sandbox::*;
