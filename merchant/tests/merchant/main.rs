//! The merchant's layer, between a client that can send anything and a facilitator that can answer
//! anything: both are real HTTP peers.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod at_once;
mod browser;
mod challenge;
mod charge;
mod client;
mod command;
mod facilitator;
mod identified;
mod listing;
#[path = "../../src/fixture/log.rs"]
mod log;
mod outage;
mod record;
mod refusal;
mod replay;
mod sale;
mod settings;
mod shop;
mod stream;
