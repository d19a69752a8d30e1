//! The command line, as far as it needs no chain: the real binary, and nodes and verifiers that answer as they are told.

#![cfg(feature = "command-line")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod agents;
mod checks;
mod home;
mod node;
mod owners;
mod sessions;
