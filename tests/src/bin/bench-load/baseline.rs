//! The committed ratios.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, bail};
use x402_escrow_tests::local::checkout;

use crate::figures::Figure;

const BASELINE: &str = "tests/bench-load-baseline.json";
const ACCEPT: &str = "cargo xtask bench load --write-baseline";

/// What a ratio may fall to, of the baseline's: it moves with what else the machine does.
pub(crate) const LEAST_SHARE: f64 = 0.75;

/// The ratios that are committed, by the subjects' names.
pub(crate) fn read() -> Result<BTreeMap<String, f64>> {
    let text = fs::read_to_string(checkout().join(BASELINE))
        .with_context(|| format!("reading {BASELINE}; `{ACCEPT}` writes it"))?;
    serde_json::from_str(&text).with_context(|| format!("{BASELINE} has no ratios; `{ACCEPT}` writes them"))
}

/// Makes these ratios the baseline.
pub(crate) fn write(figures: &[Figure]) -> Result<()> {
    let rounded = |ratio: f64| (ratio * 100.0).round() / 100.0;
    let ratios = figures.iter().map(|figure| (&figure.name, rounded(figure.ratio())));
    let json =
        serde_json::to_string_pretty(&ratios.collect::<BTreeMap<_, _>>()).context("ratios are JSON")?;
    fs::write(checkout().join(BASELINE), json + "\n").with_context(|| format!("writing {BASELINE}"))
}

/// Fails if a ratio is a quarter below the baseline's, and names all that are.
pub(crate) fn check(figures: &[Figure], before: &BTreeMap<String, f64>) -> Result<()> {
    let mut complaints = Vec::new();
    for figure in figures {
        match before.get(&figure.name) {
            None => complaints.push(format!("{} is not in the baseline", figure.name)),
            Some(then) if figure.ratio() < then * LEAST_SHARE => {
                complaints.push(format!("{} fell from {then:.2} to {:.2}", figure.name, figure.ratio()));
            }
            Some(_) => {}
        }
    }
    let list = complaints.join("\n  ");
    if complaints.is_empty() {
        return Ok(());
    }
    bail!("worse than {BASELINE}:\n  {list}\nTo accept this: {ACCEPT}")
}
