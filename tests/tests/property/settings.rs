use std::env;

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
    /// From so many on, every rule of the program must have been broken.
    pub(crate) const FULL_INSTRUCTIONS: u64 = 100_000;
    /// After so many a new chain begins, with the next seed.
    const SEQUENCE: u64 = 2_500;

    pub(crate) fn from_environment() -> Self {
        let seed = number(Self::SEED).unwrap_or(Self::DEFAULT_SEED);
        let instructions = number(Self::INSTRUCTIONS).unwrap_or(Self::DEFAULT_INSTRUCTIONS);
        Self { seed, instructions }
    }

    /// The seed and the length of every sequence.
    pub(crate) fn sequences(&self) -> impl Iterator<Item = (u64, u64)> {
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
