//! Runs the verifier's engine, unchanged, in one process under simulated time. One seed determines a whole run.
//!
//! - [`clock`]: time that passes when nothing else does
//! - [`gate`]: the order of the store's work, and crashes
//! - [`cluster`]: blocks of the real program, forks, late transactions, nodes that lag and fail
//! - [`people`]: payers, merchants and strangers
//! - [`audit`]: what must be true at the end

pub mod audit;
pub mod clock;
pub mod cluster;
pub mod gate;
pub mod ledger;
mod panics;
pub mod patience;
pub mod people;
mod plan;
mod processor;
pub mod run;
pub mod server;
pub mod setup;
