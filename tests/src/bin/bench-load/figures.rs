//! What was measured.

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use x402_escrow_load::measured::Round;

/// One subject beside what it is compared with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) compared_with: String,
    /// What both are counted in.
    pub(crate) unit: String,
    /// The least that the ratio is to be; `None` for a figure that is only shown.
    pub(crate) target: Option<f64>,
    pub(crate) rounds: Vec<Round>,
    /// Parts of what the subject takes, and how much each is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) where_time_goes: Vec<(String, String)>,
}

impl Figure {
    /// A figure that says nothing of where time goes.
    pub(crate) fn new(
        name: impl Into<String>,
        compared_with: &str,
        unit: &str,
        target: Option<f64>,
        rounds: Vec<Round>,
    ) -> Self {
        let (name, compared_with, unit) = (name.into(), compared_with.to_owned(), unit.to_owned());
        Self { name, compared_with, unit, target, rounds, where_time_goes: Vec::new() }
    }

    /// The median of the rounds' ratios.
    pub(crate) fn ratio(&self) -> f64 {
        median(self.rounds.iter().map(Round::ratio))
    }

    /// The lowest and the highest of the rounds' ratios.
    pub(crate) fn spread(&self) -> (f64, f64) {
        let ratios = || self.rounds.iter().map(Round::ratio);
        (ratios().fold(f64::INFINITY, f64::min), ratios().fold(0.0, f64::max))
    }

    /// The median of one of the two.
    pub(crate) fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(of))
    }

    pub(crate) fn reaches_target(&self) -> bool {
        self.target.is_none_or(|target| self.ratio() >= target)
    }
}

/// The middle one; of an even number the upper of the two.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Fails if a target is missed, and names all that are.
pub(crate) fn check_targets(figures: &[Figure]) -> Result<()> {
    let complaint = |figure: &Figure| {
        let target = figure.target.filter(|_| !figure.reaches_target())?;
        Some(format!("{} is {:.2}, the target {target:.2}", figure.name, figure.ratio()))
    };
    let missed: Vec<_> = figures.iter().filter_map(complaint).collect();
    if missed.is_empty() { Ok(()) } else { bail!("targets are missed:\n  {}", missed.join("\n  ")) }
}
