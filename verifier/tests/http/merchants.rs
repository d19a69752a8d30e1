//! A merchant's own payments: who may see them, which are listed, and what they come to.

mod access;
mod asking;
mod client;
mod list;
mod page;
mod totals;
mod webhook;

pub(crate) use asking::{ask, listed, target};
