//! Everything together, as separate processes on solana-test-validator: the services are asked over HTTP, and every
//! outcome is held against balances read from the chain.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod end_to_end {
    mod crashes;
    mod path;
    mod refusals;
    mod reserved;
    mod shop;
    mod streams;
    mod two_verifiers;
    mod wound_back;
}
