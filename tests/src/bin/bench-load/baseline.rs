//! The committed ratios.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, ensure};
use serde::{Serialize, de::DeserializeOwned};
use x402_escrow_tests::local::checkout;

use crate::figures::Figure;

const BASELINE: &str = "tests/bench-load-baseline.json";
const ACCEPT: &str = "cargo xtask bench load --write-baseline";

/// What a ratio may fall to, of the baseline's: it moves with what else the machine does.
pub(crate) const LEAST_SHARE: f64 = 0.75;

/// A ratio this many times its target is not compared with the baseline: a tenth of a second, or a few
/// bytes, vary by more than a quarter.
const AMPLE: f64 = 3.0;

/// The ratios that are committed, by the subjects' names.
pub(crate) fn read() -> Result<BTreeMap<String, f64>> {
    read_file(BASELINE, ACCEPT)
}

/// Reads a baseline, which the command `accept` writes.
pub(crate) fn read_file<T: DeserializeOwned>(file: &str, accept: &str) -> Result<BTreeMap<String, T>> {
    let text = fs::read_to_string(checkout().join(file))
        .with_context(|| format!("reading {file}; `{accept}` writes it"))?;
    serde_json::from_str(&text).with_context(|| format!("{file} has no ratios; `{accept}` writes them"))
}

/// Makes these ratios the baseline.
pub(crate) fn write(figures: &[Figure]) -> Result<()> {
    let rounded = |ratio: f64| (ratio * 100.0).round() / 100.0;
    let ratios = figures.iter().map(|figure| (figure.name.clone(), rounded(figure.ratio())));
    write_file(BASELINE, &ratios.collect())
}

pub(crate) fn write_file<T: Serialize>(file: &str, ratios: &BTreeMap<String, T>) -> Result<()> {
    let json = serde_json::to_string_pretty(ratios).context("ratios are JSON")?;
    fs::write(checkout().join(file), json + "\n").with_context(|| format!("writing {file}"))
}

/// Fails if a ratio is a quarter below the baseline's, and names all that are.
pub(crate) fn check(figures: &[Figure], before: &BTreeMap<String, f64>) -> Result<()> {
    let mut complaints = Vec::new();
    for figure in figures {
        match before.get(&figure.name) {
            None => complaints.push(format!("{} is not in the baseline", figure.name)),
            Some(then) if figure.ratio() < least(figure, *then) => {
                complaints.push(format!("{} fell from {then:.2} to {:.2}", figure.name, figure.ratio()));
            }
            Some(_) => {}
        }
    }
    judge(&complaints, BASELINE, ACCEPT)
}

/// The least that a figure's ratio may be, where the baseline has `then`.
fn least(figure: &Figure, then: f64) -> f64 {
    let least = then * LEAST_SHARE;
    figure.target.map_or(least, |target| least.min(target * AMPLE))
}

/// Fails if there are complaints.
pub(crate) fn judge(complaints: &[String], file: &str, accept: &str) -> Result<()> {
    let list = complaints.join("\n  ");
    ensure!(complaints.is_empty(), "worse than {file}:\n  {list}\nTo accept this: {accept}");
    Ok(())
}
