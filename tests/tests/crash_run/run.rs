//! How often something is killed, from which seed, and how to do it again.

use std::{
    cell::Cell,
    env,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use x402_escrow_load::unix_milliseconds;

const TOLD_EVERY: Duration = Duration::from_secs(20);

/// One at a time kills and sells: two cores have enough to do with that. What follows is mostly waiting.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

pub(super) struct Run {
    /// Everything that is chosen follows from it.
    pub(super) seed: u64,
    /// How often something is killed.
    pub(super) kills: u32,
    /// `None` once others may begin.
    turn: Cell<Option<MutexGuard<'static, ()>>>,
}

impl Run {
    /// Reads the environment, and says how to repeat the run, which `cargo xtask fault` knows by `name`.
    pub(super) fn start(name: &str, kills_variable: &str, kills: u32) -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let kills = number_from(kills_variable).map_or(kills, |number| {
            number.try_into().unwrap_or_else(|_| panic!("{kills_variable} is too large"))
        });
        let seed = number_from("X402_ESCROW_SEED").unwrap_or_else(unix_milliseconds);
        println!("to repeat it: cargo xtask fault {name} --seed {seed} --kills {kills}");
        Self { seed, kills, turn: Cell::new(Some(turn)) }
    }

    /// Lets the next run begin: this one only waits for what is to end.
    pub(super) fn rest(&self) {
        drop(self.turn.take());
    }

    /// A number for each kill. Tells now and then how far it is.
    pub(super) fn each_kill(&self) -> impl Iterator<Item = u32> {
        let (kills, began) = (self.kills, Instant::now());
        let mut told = began;
        (0..kills).inspect(move |kill| {
            if told.elapsed() >= TOLD_EVERY {
                eprintln!("{kill} of {kills} kills after {} seconds", began.elapsed().as_secs());
                told = Instant::now();
            }
        })
    }
}

/// Tells all who sell to close once it is dropped, also by a panic: the run would wait for them for ever.
pub(super) struct OpeningHours<'a>(pub(super) &'a AtomicBool);

impl Drop for OpeningHours<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn number_from(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}
