//! Whatever reads what others wrote, given arbitrary bytes.
//!
//! Each module has `run`, which must not panic. It says whether the bytes are what belongs there, and asserts what holds
//! then: that it can be written and read again, or that a check let nothing through that it should not have. libFuzzer
//! calls them (`fuzz_targets/`), and the tests do, with `seeds/`.

// What the program stores, logs, is sent, and has signed.
pub mod account;
pub mod event;
pub mod instruction;
pub mod logs;
pub mod message;

// x402 on the wire.
pub mod auth_capture;
mod header;
pub mod payment_required;
pub mod payment_signature;
pub mod settle_response;
pub mod text;

// The agent.
pub mod draft;
pub mod session_file;

// The verifier.
pub mod config;
pub mod keypair_file;
