//! What the escrow program and its clients share, without Anchor.
//!
//! - [`message`]: the three messages that move money, and the exact bytes that are signed
//! - [`resource`]: how an HTTP request is bound into an intent
//! - [`replay_window`]: which nonces a session still accepts
//! - [`address`]: seeds and derived addresses
//! - [`account`]: what the program stores
//! - [`instruction`]: builders for every instruction
//! - [`event`]: what the program logs
//! - [`error`]: the program's error codes
//!
//! Amounts are `u64` base units of the escrow's mint; times are unix seconds (`i64`), as Solana's `Clock` has them.

#![no_std]

extern crate alloc;

pub mod account;
pub mod address;
pub mod error;
pub mod event;
pub mod instruction;
pub mod message;
pub mod replay_window;
pub mod resource;

pub use solana_address::Address;

/// The program's address.
pub const ID: Address = solana_address::address!("EscCGhKaoAfdc5duTCF8ofGLLP11LfXnV5AZdontFE3T");
