//! Tests on a local cluster: each starts a solana-test-validator, and what it tests as processes of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod browser;
mod end_to_end;
mod owner;
mod reclaim;
mod sandbox;
mod shop;
mod standard_clients;
mod suites;
mod typescript;
