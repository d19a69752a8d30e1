//! The client between a server that asks for payment and a verifier that drafts it, each of which can lie.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[cfg(feature = "command-line")]
mod command;
mod conversations;
mod holds;
mod journal;
mod lies;
mod limits;
mod nonces;
mod outcomes;
mod peers;
mod privacy;
mod proof;
mod receivers;
mod resending;
mod streams;
