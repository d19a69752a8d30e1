//! The HTTP interface over the router, with the real store and the real program: a cluster of one LiteSVM, whose
//! blocks, forks and failures the tests control.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod agent;
mod backup;
mod browser;
mod budgets;
mod claims;
mod cluster;
mod cors;
mod crash;
mod deny_list;
mod document;
mod endless_answers;
mod events;
mod exact;
mod fee_payers;
mod finality;
mod gather;
mod health;
mod identifier;
mod intents;
mod lifecycle;
mod limits;
mod live;
mod log;
mod malformed;
mod many_parties;
mod metrics;
mod nodes;
mod nonces;
mod openapi;
mod others;
mod pause;
mod payload;
mod payments;
mod program;
mod receivers;
mod reclaim;
mod refunds;
mod rent;
mod restarted_node;
mod settle;
mod several;
mod status;
mod strangers;
mod stream;
mod supported;
mod tracking;
mod verifiers;
mod verify;
mod wait;
mod webhook;
mod world;
