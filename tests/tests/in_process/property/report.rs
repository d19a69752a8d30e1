use std::{collections::BTreeMap, fmt, iter::Sum};

use x402_escrow_interface::error::EscrowError;
use x402_escrow_tests::model::{Broken, Rule};

use super::step::{Step, Theft};

/// What happened in all sequences.
#[derive(Default)]
pub(crate) struct Report {
    instructions: BTreeMap<&'static str, Tally>,
    thefts: BTreeMap<Theft, u64>,
    /// Refusals by the first rule that was broken.
    refusals: BTreeMap<String, u64>,
    /// Refusals for breaking one rule and no other.
    for_one_rule: u64,
    /// Steps of thieves that nobody loses anything by.
    harmless: u64,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    succeeded: u64,
    refused: u64,
}

impl Tally {
    fn and(self, other: Self) -> Self {
        Self { succeeded: self.succeeded + other.succeeded, refused: self.refused + other.refused }
    }
}

impl Sum for Report {
    fn sum<I: Iterator<Item = Self>>(reports: I) -> Self {
        reports.fold(Self::default(), Self::and)
    }
}

impl Report {
    fn and(mut self, other: Self) -> Self {
        for (name, tally) in other.instructions {
            let sum = self.instructions.entry(name).or_default();
            *sum = sum.and(tally);
        }
        for (theft, count) in other.thefts {
            *self.thefts.entry(theft).or_default() += count;
        }
        for (rule, count) in other.refusals {
            *self.refusals.entry(rule).or_default() += count;
        }
        self.for_one_rule += other.for_one_rule;
        self.harmless += other.harmless;
        self
    }

    /// Counts a step, which went as predicted.
    pub(crate) fn count(&mut self, step: &Step, predicted: &Result<(), Broken>) {
        let tally = self.instructions.entry(step.arguments.name()).or_default();
        let Err(broken) = predicted else {
            tally.succeeded += 1;
            self.harmless += u64::from(step.theft.is_some());
            return;
        };
        tally.refused += 1;
        if let Some(theft) = step.theft {
            *self.thefts.entry(theft).or_default() += 1;
        }
        let reason = match broken.first() {
            Rule::Escrow(error) => error.name().to_owned(),
            other => format!("{other:?}"),
        };
        *self.refusals.entry(reason).or_default() += 1;
        self.for_one_rule += u64::from(broken.rules().len() == 1);
    }

    fn all(&self) -> Tally {
        self.instructions.values().copied().fold(Tally::default(), Tally::and)
    }

    /// The test would prove little if an instruction never succeeded, or thieves had not tried.
    pub(crate) fn assert_everything_happened(&self) {
        const INSTRUCTIONS: usize = 16;
        const LEAST_SUCCESSES: u64 = 10;
        const LEAST_THEFTS: u64 = 20;
        assert_eq!(self.instructions.len(), INSTRUCTIONS, "some instruction was never drawn");
        for (name, tally) in &self.instructions {
            assert!(tally.succeeded >= LEAST_SUCCESSES, "{name} succeeded {} times", tally.succeeded);
        }
        for theft in Theft::ALL {
            let refused = self.thefts.get(theft).copied().unwrap_or(0);
            assert!(refused >= LEAST_THEFTS, "{theft:?} was refused {refused} times");
        }
        let Tally { succeeded, refused } = self.all();
        assert!(succeeded * 10 > (succeeded + refused) * 4, "only {succeeded} instructions succeeded");
    }

    /// In a long run somebody breaks every rule that can be broken with plain mints and accounts of
    /// one version.
    pub(crate) fn assert_every_rule_was_broken(&self) {
        let of_other_mints =
            EscrowError::MintHasTransferFee.code()..=EscrowError::UnsupportedMintExtension.code();
        let unreachable = |error: EscrowError| {
            error == EscrowError::UnknownVersion || of_other_mints.contains(&error.code())
        };
        let never: Vec<_> = EscrowError::ALL
            .iter()
            .filter(|error| !unreachable(**error) && !self.refusals.contains_key(error.name()))
            .collect();
        assert!(never.is_empty(), "never happened: {never:?}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { succeeded, refused } = self.all();
        let all = succeeded + refused;
        writeln!(formatter, "{all} instructions: {succeeded} succeeded, {refused} were refused")?;
        writeln!(formatter, "{} refusals were for a single broken rule", self.for_one_rule)?;
        for (name, tally) in &self.instructions {
            writeln!(formatter, "  {name:20} {:6} succeeded {:6} refused", tally.succeeded, tally.refused)?;
        }
        writeln!(formatter, "Thieves were refused, and let through {} times without harm:", self.harmless)?;
        for (theft, count) in &self.thefts {
            writeln!(formatter, "  {:20} {count:6}", format!("{theft:?}"))?;
        }
        writeln!(formatter, "Refusals by rule:")?;
        for (rule, count) in &self.refusals {
            writeln!(formatter, "  {rule:26} {count:6}")?;
        }
        Ok(())
    }
}
