//! x402-escrow-agent
