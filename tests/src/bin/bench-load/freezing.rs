//! Verifiers frozen (SIGSTOP) at random moments for longer than a leader's lease, and how long nobody served meanwhile.

use std::{
    mem,
    ops::Range,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use rand::{Rng, rngs::StdRng};
use x402_escrow_load::{spreading::Settled, unix_milliseconds};
use x402_escrow_tests::local::Verifier;

/// Before each freeze. The one before may just have taken up again.
const PAUSE_MILLISECONDS: Range<u64> = 3_000..6_000;
/// How long one is frozen: the lease is ten seconds, and service must be back within fifteen.
const FROZEN_MILLISECONDS: Range<u64> = 16_000..19_000;
/// For how long after it woke a verifier may still do harm.
pub(crate) const AFTERMATH: Duration = Duration::from_millis(2_500);
/// How long there may be no leader before one of them is loaded or frozen.
pub(crate) const LED_WITHIN: Duration = Duration::from_secs(60);
/// How often to ask who leads.
const POLL: Duration = Duration::from_millis(50);

/// A freeze that is to come.
pub(crate) struct Planned {
    pause: Duration,
    length: Duration,
    /// Twice out of three times the leader, else the one that comes so many places after it.
    after_leader: usize,
}

/// A freeze that happened.
pub(crate) struct Frozen {
    /// Which verifier, by its place.
    pub(crate) place: usize,
    /// Whether it led.
    pub(crate) led: bool,
    /// When, in milliseconds since 1970.
    pub(crate) from: u64,
    /// When it was to go on.
    pub(crate) until: u64,
    /// After how long another said that it leads.
    pub(crate) led_again_after: Option<Duration>,
}

/// How long nobody served.
pub(crate) struct Interruption {
    /// The longest time, from the freeze until the aftermath, without a yes through another verifier to what was asked for
    /// after the freeze.
    pub(crate) longest: Duration,
    /// Until the first such yes.
    pub(crate) first: Duration,
}

impl Planned {
    /// Chooses `count` freezes among so many verifiers.
    pub(crate) fn choose(random: &mut StdRng, count: usize, verifiers: usize) -> Vec<Self> {
        let mut one = || Self {
            pause: Duration::from_millis(random.random_range(PAUSE_MILLISECONDS)),
            length: Duration::from_millis(random.random_range(FROZEN_MILLISECONDS)),
            after_leader: match random.random_range(0..3) {
                0 => random.random_range(1..verifiers),
                _ => 0,
            },
        };
        (0..count).map(|_| one()).collect()
    }

    /// How long all of them take.
    pub(crate) fn time(freezes: &[Self]) -> Duration {
        freezes.iter().map(|freeze| freeze.pause + freeze.length).sum()
    }

    /// Waits, freezes one of the verifiers, watches the others, and lets it go on.
    pub(crate) fn happen(&self, verifiers: &[Verifier]) -> Result<Frozen> {
        thread::sleep(self.pause);
        let leads = |place: usize| verifiers[place].is_leading();
        let asked = Instant::now();
        let leader = loop {
            match (0..verifiers.len()).find(|place| leads(*place).unwrap_or(false)) {
                Some(leader) => break leader,
                None => thread::sleep(POLL),
            }
            ensure!(asked.elapsed() < LED_WITHIN, "nobody has led for {} seconds", LED_WITHIN.as_secs());
        };
        let place = (leader + self.after_leader) % verifiers.len();
        let (from, since) = (unix_milliseconds(), Instant::now());
        let frozen = verifiers[place].freeze();
        let led = place == leader;
        let another_leads =
            || (0..verifiers.len()).any(|other| other != place && leads(other).unwrap_or(false));
        let mut led_again_after = None;
        while since.elapsed() < self.length {
            if led && led_again_after.is_none() && another_leads() {
                led_again_after = Some(since.elapsed());
            }
            thread::sleep(POLL);
        }
        let until = unix_milliseconds();
        drop(frozen);
        Ok(Frozen { place, led, from, until, led_again_after })
    }
}

impl Frozen {
    /// How long nobody served, by what was answered yes.
    pub(crate) fn interruption(&self, settled: &[Settled]) -> Interruption {
        let end = self.until + AFTERMATH.as_millis() as u64;
        let counts = |one: &&Settled| one.by != self.place && one.asked_at >= self.from && one.held_at <= end;
        let mut served: Vec<_> = settled.iter().filter(counts).map(|one| one.held_at).collect();
        served.sort_unstable();
        let first = served.first().copied().unwrap_or(end);
        served.push(end);
        let mut before = self.from;
        let gaps = served.iter().map(|at| at - mem::replace(&mut before, *at));
        let longest = gaps.max().unwrap_or_default();
        Interruption {
            longest: Duration::from_millis(longest),
            first: Duration::from_millis(first - self.from),
        }
    }
}

#[cfg(test)]
mod tests {
    use x402_escrow_wire::text::{Base58, Hex32};

    use super::*;

    /// The first of three verifiers frozen from the first second to the 17th.
    fn longest(answers: &[(usize, u64, u64)]) -> (u128, u128) {
        let frozen = Frozen { place: 0, led: true, from: 1_000, until: 17_000, led_again_after: None };
        let settled = answers.iter().map(|(by, asked_at, held_at)| Settled {
            payment_id: Hex32([0; 32]),
            hold: Base58([0; 32]),
            is_captured: false,
            by: *by,
            asked_at: *asked_at,
            held_at: *held_at,
        });
        let Interruption { first, longest } = frozen.interruption(&settled.collect::<Vec<_>>());
        (first.as_millis(), longest.as_millis())
    }

    #[test]
    fn service_is_back_with_the_first_hold_that_another_was_asked_for_after_the_freeze() {
        let steady = [(1, 12_000, 13_500), (2, 13_000, 14_000), (1, 16_000, 17_500), (1, 18_000, 19_000)];
        assert_eq!(longest(&steady), (12_500, 12_500));
        let by_the_frozen_one = [&[(0, 2_000, 3_000)], &steady[..]].concat();
        assert_eq!(longest(&by_the_frozen_one), (12_500, 12_500));
        let asked_for_before = [&[(1, 900, 2_000)], &steady[..]].concat();
        assert_eq!(longest(&asked_for_before), (12_500, 12_500));
    }

    #[test]
    fn an_interruption_counts_wherever_it_is_and_also_if_it_does_not_end() {
        assert_eq!(longest(&[(1, 1_100, 1_500), (1, 14_000, 15_500)]), (500, 14_000));
        assert_eq!(longest(&[(1, 1_100, 1_500)]), (500, 18_000));
        assert_eq!(longest(&[]), (18_500, 18_500));
    }
}
