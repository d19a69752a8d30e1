//! Tests that start no other process: the program on LiteSVM, and what describes it to clients and readers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod arithmetic;
mod documents;
mod ed25519;
mod fuzz;
mod golden_vectors;
mod interface;
mod program;
mod promises;
mod property;
mod substitution;
