//! What `cargo xtask bench load` runs with optimisation beside the verifier, each as a process of its own: the load
//! ([`sending`], [`holding`], [`spreading`], [`settling`], [`paying`]), what fills a database before it ([`crowding`]), and
//! what the verifier is compared with ([`peer`], [`in_process`], [`relaying`]). Below them: who signs (`payer`, `wallet`,
//! [`merchant`]), whom they ask (`connection`, `proxy`, `node`), and what they are told (`told`).

mod connection;
pub mod crowding;
pub mod holding;
pub mod in_process;
pub mod measured;
pub mod merchant;
mod node;
pub mod payer;
pub mod paying;
pub mod peer;
mod proxy;
pub mod relaying;
pub mod sending;
pub mod settling;
pub mod spreading;
mod told;
mod wallet;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds since 1970: what two processes can compare.
pub fn unix_milliseconds() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
