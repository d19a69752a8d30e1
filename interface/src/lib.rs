//! x402-escrow-interface
