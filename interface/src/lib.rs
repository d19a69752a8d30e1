//! What the escrow program and its clients share, without Anchor.
//!
//! - [`message`]: the four signed messages, and the exact bytes that are signed
//! - [`resource`]: how an HTTP request is bound into an intent
//! - [`replay_window`]: which nonces a session still accepts
//! - [`receivers`]: lists of receivers that a session may pay
//! - [`fee`]: how a payment is split between receiver and fee recipient
//! - [`deployment`]: the program's address on each cluster
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
pub mod deployment;
pub mod error;
pub mod event;
pub mod fee;
pub mod instruction;
pub mod message;
pub mod receivers;
pub mod replay_window;
pub mod resource;

pub use solana_address::Address;
