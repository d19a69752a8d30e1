//! The program on LiteSVM.
//!
//! [`World`] is the usual cast with an escrow, a session or a hold; [`Chain`] is the machine underneath. Everything
//! that is sent goes through [`Chain::succeed`] and [`Chain::refuse`], which compare all accounts before and after.

mod chain;
mod last_account;
mod ledger;
mod outcome;
mod payment;
mod rival;
mod session;
mod tokens;
mod versioned;
mod world;

pub use chain::{Chain, START};
pub use ledger::Ledger;
pub use outcome::{Receipt, Refusal};
pub use rival::Rival;
pub use versioned::Sent;
pub use world::{World, usdc};

/// Length of an escrow's account.
pub const ESCROW_BYTES: usize = 8 + 4 + 4 + 6 * 32 + 3 * 8 + 64;
/// Length of a session's account.
pub const SESSION_BYTES: usize = 8 + 4 + 4 + 5 * 32 + 12 * 8 + 16 * 8 + 64;
/// Length of a hold's account.
pub const HOLD_BYTES: usize = 8 + 6 + 2 + 8 * 32 + 5 * 8 + 16;
/// Length of a token account of SPL Token.
pub const TOKEN_ACCOUNT_BYTES: usize = 165;
