use std::{env, iter::Sum, sync::Mutex, thread};

/// How much to run, and from which seed.
pub(crate) struct Settings {
    seed: u64,
    pub(crate) instructions: u64,
}

impl Settings {
    pub(crate) const SEED: &str = "X402_ESCROW_SEED";
    pub(crate) const INSTRUCTIONS: &str = "X402_ESCROW_PROPERTY_INSTRUCTIONS";
    const DEFAULT_SEED: u64 = 402;
    pub(crate) const DEFAULT_INSTRUCTIONS: u64 = 5_000;
    /// After so many a new chain begins, with the next seed.
    const SEQUENCE: u64 = 2_500;

    pub(crate) fn from_environment() -> Self {
        let seed = number(Self::SEED).unwrap_or(Self::DEFAULT_SEED);
        let instructions = number(Self::INSTRUCTIONS).unwrap_or(Self::DEFAULT_INSTRUCTIONS);
        Self { seed, instructions }
    }

    /// Plays every sequence, of which `play` gets the seed and the length: as many at once as there
    /// are processors.
    pub(crate) fn play_all<R: Sum + Send>(&self, play: impl Fn(u64, u64) -> R + Sync) -> R {
        let sequences = Mutex::new(self.sequences());
        let next = || sequences.lock().unwrap().next();
        let play_some = || std::iter::from_fn(&next).map(|(seed, length)| play(seed, length)).sum::<R>();
        let threads = thread::available_parallelism().unwrap().get();
        thread::scope(|scope| {
            let players: Vec<_> = (0..threads).map(|_| scope.spawn(play_some)).collect();
            players.into_iter().map(|player| player.join().unwrap()).sum()
        })
    }

    /// The seed and the length of every sequence.
    fn sequences(&self) -> impl Iterator<Item = (u64, u64)> {
        let starts = (0..self.instructions).step_by(Self::SEQUENCE as usize);
        let lengths = starts.map(|start| (self.instructions - start).min(Self::SEQUENCE));
        (0..).map(|index| self.seed.wrapping_add(index)).zip(lengths)
    }
}

fn number(variable: &str) -> Option<u64> {
    let value = env::var(variable).ok()?;
    let parsed = value.parse();
    Some(parsed.unwrap_or_else(|_| panic!("{variable} must be a whole number of 64 bits, and is {value:?}")))
}
