//! What goes wrong, and how often.

use std::time::Duration;

use rand::Rng;
use x402_escrow_domain::cluster::Consensus;

/// How many blocks are on top of one that is confirmed, and of one that is final.
pub(super) fn depths(consensus: Consensus) -> [u64; 2] {
    match consensus {
        Consensus::Alpenglow => [1, 1],
        Consensus::TowerBft | Consensus::Unknown => [2, 32],
    }
}

/// What doesn't work for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No blocks.
    Halt,
    /// No node answers.
    Silence,
}

/// What becomes of a transaction, however often it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It lands soon after a sending that is not lost.
    Prompt,
    /// It lands in one of the last blocks that can have it.
    Late,
    /// It never lands.
    Never,
}

/// Something doesn't work for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Since the run started.
    pub from: Duration,
    /// Since the run started.
    pub until: Duration,
    /// What doesn't work.
    pub trouble: Trouble,
}

/// How the cluster and its nodes are. Probabilities are per slot, per sending, or per call.
#[derive(Clone, Debug)]
pub struct Weather {
    /// How blocks become final.
    pub consensus: Consensus,
    /// How long a slot takes.
    pub slot_milliseconds: u64,
    /// A slot has no block.
    pub skip: f64,
    /// A slot's block drops some that are not confirmed.
    pub fork: f64,
    /// A transaction that is sent comes to nothing.
    pub lost: f64,
    /// A transaction lands in the last blocks that can have it; half as many never do.
    pub late: f64,
    /// A node fails a call.
    pub failure: f64,
    /// A node is far behind.
    pub behind: f64,
    /// How many nodes answer, at random.
    pub nodes: usize,
    /// Longer outages.
    pub outages: Vec<Outage>,
}

impl Weather {
    /// What doesn't work `now`, counted from the start of the run.
    pub fn outage(&self, now: Duration) -> Option<Trouble> {
        let outage = self.outages.iter().find(|outage| outage.from <= now && now < outage.until)?;
        Some(outage.trouble)
    }

    /// From now on nothing goes wrong.
    pub fn calm(&mut self) {
        (self.skip, self.fork, self.lost, self.late, self.failure, self.behind) =
            (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        self.outages.clear();
    }

    /// What becomes of a transaction.
    pub(super) fn fate(&self, dice: &mut impl Rng) -> Fate {
        match dice.random::<f64>() {
            roll if roll < self.late => Fate::Late,
            roll if roll < 1.5 * self.late => Fate::Never,
            _ => Fate::Prompt,
        }
    }

    /// In how many slots a transaction lands, if ever.
    pub(super) fn landing(&self, dice: &mut impl Rng) -> Option<u64> {
        if dice.random_bool(self.lost) {
            return None;
        }
        Some(dice.random_range(1..=4))
    }

    /// How many slots a node is behind.
    pub(super) fn lag(&self, dice: &mut impl Rng) -> u64 {
        if self.behind > 0.0 && dice.random_bool(self.behind) {
            return dice.random_range(5..28);
        }
        if self.failure == 0.0 { 0 } else { dice.random_range(0..=2) }
    }
}
