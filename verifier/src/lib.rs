//! x402-escrow-verifier
