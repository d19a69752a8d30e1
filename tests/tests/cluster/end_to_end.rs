//! Everything together, as separate processes on solana-test-validator: the services are asked over HTTP, and every
//! outcome is held against balances read from the chain.

mod crashes;
mod path;
mod refusals;
mod reserved;
mod streams;
mod together;
mod two_verifiers;
mod wound_back;
