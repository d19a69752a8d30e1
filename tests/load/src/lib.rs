//! What `cargo xtask bench load` runs with optimisation beside the verifier, each as a process of its own: the load
//! ([`sending`], [`holding`], [`settling`], [`paying`]), what fills a database before it ([`crowding`]), and what the
//! verifier is compared with ([`peer`], [`in_process`], [`relaying`]). Below them: who signs (`payer`, `wallet`), whom
//! they ask (`connection`, `node`), and what they are told (`told`).

mod connection;
pub mod crowding;
pub mod holding;
pub mod in_process;
pub mod measured;
mod node;
pub mod payer;
pub mod paying;
pub mod peer;
pub mod relaying;
pub mod sending;
pub mod settling;
mod told;
mod wallet;

use std::sync::{Mutex, MutexGuard, PoisonError};

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
