//! Simulated time: tokio's paused clock, which moves when nothing else does.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{runtime::Builder, time::Instant};
use x402_escrow_verifier::engine::app::Clock;

use crate::gate::Gate;

/// Unix time at which every run starts.
pub const START: i64 = 1_800_000_000;

/// This run's time.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    started: Instant,
}

impl Time {
    /// Starts now, in a runtime of [`run`].
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// Since the run started.
    pub fn elapsed(self) -> Duration {
        self.started.elapsed()
    }

    /// Unix seconds.
    pub fn now(self) -> i64 {
        START + i64::try_from(self.elapsed().as_secs()).unwrap_or(i64::MAX)
    }

    /// The same for the verifier.
    pub fn clock(self) -> Clock {
        Arc::new(move || self.now())
    }
}

/// Runs on one thread in paused time. Where no task can go on, the gate lets the next one at the store, and only where
/// none waits there, time passes.
///
/// # Panics
/// If the runtime can't be built.
pub fn run<T>(gate: &Gate, main: impl Future<Output = T>) -> T {
    let gate = gate.clone();
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .on_thread_park(move || gate.grant_next())
        .build()
        .expect("a runtime with a clock alone needs nothing of the system");
    runtime.block_on(main)
}
