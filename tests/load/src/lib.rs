//! What `cargo xtask bench load` runs with optimisation beside the verifier, each as a process of its own: the load
//! ([`sending`]), and what the verifier is compared with ([`peer`], [`in_process`]).

pub mod in_process;
pub mod measured;
pub mod peer;
pub mod sending;
