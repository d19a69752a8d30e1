//! x402-escrow-tests
