//! The gate before the store: one task at a time works on the database, in an order that the seed determines, and time
//! stands still meanwhile. A process can crash at each step.

use std::{
    panic,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Sender},
    },
};

use futures_util::FutureExt;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::{
    sync::{Notify, oneshot},
    task,
};
use x402_escrow_verifier::store::{self, Step};

/// The gate. A clone is the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    crashed: Notify,
}

#[derive(Debug)]
struct State {
    /// The tasks that wait to begin.
    waiting: Vec<(u64, oneshot::Sender<Turn>)>,
    /// Decides which of them is next.
    dice: ChaCha8Rng,
    is_busy: bool,
    /// Steps of the store so far.
    steps: u64,
    /// The step at which the process crashes next.
    crash_at: Option<u64>,
    has_crashed: bool,
    /// Of the process that runs now.
    generation: u64,
}

/// What a task of a crashed process ends with.
struct Crash;

/// Whoever has it works on the database.
#[derive(Debug)]
struct Turn(Arc<Inner>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.lock().is_busy = false;
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps time from passing: the runtime never moves its clock while a blocking task is there.
struct Stopped {
    _until_dropped: Sender<()>,
}

impl Stopped {
    fn new() -> Self {
        let (sender, receiver) = mpsc::channel::<()>();
        task::spawn_blocking(move || receiver.recv());
        Self { _until_dropped: sender }
    }
}

impl Gate {
    /// A gate whose order `seed` determines.
    pub fn new(seed: u64) -> Self {
        let state = State {
            waiting: Vec::new(),
            dice: ChaCha8Rng::seed_from_u64(seed),
            is_busy: false,
            steps: 0,
            crash_at: None,
            has_crashed: false,
            generation: 0,
        };
        Self(Arc::new(Inner { state: Mutex::new(state), crashed: Notify::new() }))
    }

    /// Called where no task can go on: the next one gets its turn.
    pub fn grant_next(&self) {
        loop {
            let next = {
                let mut state = self.0.lock();
                if state.is_busy {
                    return;
                }
                if state.waiting.is_empty() {
                    return;
                }
                // They come in an order that tokio's own dice make; their numbers are the same in every run.
                state.waiting.sort_by_key(|(task, _)| *task);
                let count = state.waiting.len();
                let chosen = state.dice.random_range(0..count);
                state.is_busy = true;
                state.waiting.remove(chosen).1
            };
            // One that doesn't wait any more gives its turn back.
            if next.send(Turn(Arc::clone(&self.0))).is_ok() {
                return;
            }
        }
    }

    /// As the store takes it.
    pub fn of_store(&self) -> store::Gate {
        let gate = self.clone();
        let generation = gate.0.lock().generation;
        Arc::new(move |step| {
            let gate = gate.clone();
            async move {
                let permit = match step {
                    Step::Begin => Box::new(gate.turn().await) as store::Permit,
                    Step::Commit | Step::Committed => Box::new(()),
                };
                gate.step(generation);
                permit
            }
            .boxed()
        })
    }

    /// Waits until no task can go on and nobody works on the database.
    pub async fn quiet(&self) {
        drop(self.turn().await);
    }

    async fn turn(&self) -> (Turn, impl Send + Sync + use<>) {
        let (sender, receiver) = oneshot::channel();
        let task = task::try_id().and_then(|id| id.to_string().parse().ok()).unwrap_or(0);
        self.0.lock().waiting.push((task, sender));
        let turn = receiver.await.expect("the gate drops nobody who waits");
        (turn, Mutex::new(Stopped::new()))
    }

    /// While the result lives, time stands still.
    pub fn stop_time(&self) -> impl Send + use<> {
        Stopped::new()
    }

    /// Counts a step, and ends the task if its process has crashed: at this step or before.
    fn step(&self, generation: u64) {
        let mut state = self.0.lock();
        state.steps += 1;
        if state.crash_at.is_some_and(|at| state.steps >= at) {
            state.has_crashed = true;
            self.0.crashed.notify_one();
        }
        let is_gone = state.has_crashed || state.generation != generation;
        drop(state);
        if is_gone {
            // No panic that anybody reports: what the task holds is dropped, as a process drops it.
            panic::resume_unwind(Box::new(Crash));
        }
    }

    /// Whether the process has crashed, and no other runs yet.
    pub fn has_crashed(&self) -> bool {
        self.0.lock().has_crashed
    }

    /// Steps of the store so far.
    pub fn steps(&self) -> u64 {
        self.0.lock().steps
    }

    /// Has the process crash `steps` steps of the store from now.
    pub fn crash_in(&self, steps: u64) {
        let mut state = self.0.lock();
        state.crash_at = Some(state.steps + steps);
    }

    /// Takes back a crash that was to come.
    pub fn recover_from_plans(&self) {
        let mut state = self.0.lock();
        if !state.has_crashed {
            state.crash_at = None;
        }
    }

    /// Waits for the crash.
    pub async fn crashed(&self) {
        self.0.crashed.notified().await;
    }

    /// Lets another process go on.
    pub fn recover(&self) {
        let mut state = self.0.lock();
        (state.crash_at, state.has_crashed) = (None, false);
        state.generation += 1;
    }
}
