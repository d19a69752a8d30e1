//! The committed report, and the page that shows it.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, bail, ensure};
use x402_escrow_tests::checkout_file;

use crate::{
    report::{Better, Figure, Report},
    tables,
};

pub(crate) const BASELINE: &str = "tests/bench-baseline.json";
pub(crate) const PAGE: &str = "docs/benchmarks.md";
const ACCEPT: &str = "cargo xtask bench program --write-baseline";

/// By how much a figure may be worse than the baseline's, in per cent.
const TOLERANCE_PERCENT: u64 = 3;

/// The report that is committed.
pub(crate) fn read() -> Result<Report> {
    let text = fs::read_to_string(checkout_file(BASELINE))
        .with_context(|| format!("reading {BASELINE}; `{ACCEPT}` writes it"))?;
    serde_json::from_str(&text).with_context(|| format!("{BASELINE} is no report; `{ACCEPT}` writes one"))
}

/// Makes `report` the baseline and writes its tables into the page.
pub(crate) fn write(report: &Report) -> Result<()> {
    let page = fs::read_to_string(checkout_file(PAGE)).with_context(|| format!("reading {PAGE}"))?;
    let page = with_tables(&page, report)?;
    let json = serde_json::to_string_pretty(report).context("a report is JSON")?;
    fs::write(checkout_file(BASELINE), json + "\n").with_context(|| format!("writing {BASELINE}"))?;
    fs::write(checkout_file(PAGE), page).with_context(|| format!("writing {PAGE}"))
}

/// Fails if any figure is worse than the baseline's by more than the tolerance, and names them all.
pub(crate) fn check(report: &Report, baseline: &Report) -> Result<String> {
    let (figures, before) = (report.figures(), baseline.figures());
    let complaints = complaints(&figures, &before);
    if !complaints.is_empty() {
        let list = complaints.join("\n  ");
        bail!("worse than {BASELINE}:\n  {list}\nTo accept this: {ACCEPT}");
    }
    Ok(format!("{} figures, none more than {TOLERANCE_PERCENT} % worse than {BASELINE}", figures.len()))
}

/// What is worse, and what is measured on one side only.
fn complaints(figures: &[Figure], baseline: &[Figure]) -> Vec<String> {
    let before: BTreeMap<_, _> = baseline.iter().map(|figure| (&figure.name, figure.value)).collect();
    let mut complaints = Vec::new();
    for figure in figures {
        match before.get(&figure.name) {
            None => complaints.push(format!("{} is {}, and not in the baseline", figure.name, figure.value)),
            Some(&then) if is_worse(figure, then) => complaints.push(change(figure, then)),
            Some(_) => {}
        }
    }
    for gone in baseline.iter().filter(|then| figures.iter().all(|figure| figure.name != then.name)) {
        complaints.push(format!("{} is in the baseline, and was not measured", gone.name));
    }
    complaints
}

fn is_worse(figure: &Figure, then: u64) -> bool {
    match figure.better {
        Better::Lower => figure.value * 100 > then * (100 + TOLERANCE_PERCENT),
        Better::Higher => figure.value * 100 < then * (100 - TOLERANCE_PERCENT),
    }
}

fn change(figure: &Figure, then: u64) -> String {
    let direction = if figure.value > then { "rose" } else { "fell" };
    let permille = (figure.value.abs_diff(then) * 1_000).checked_div(then).unwrap_or(1_000);
    let (percent, tenth) = (permille / 10, permille % 10);
    format!("{} {direction} from {then} to {}, by {percent}.{tenth} %", figure.name, figure.value)
}

/// The page with the report's tables between its marks.
fn with_tables(page: &str, report: &Report) -> Result<String> {
    let mut page = page.to_owned();
    for tables::Section { name, table } in tables::sections(report) {
        let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
        let start = page.find(&begin).with_context(|| format!("{PAGE} has no line {begin:?}"))? + begin.len();
        let length = page[start..].find(&end).with_context(|| format!("{PAGE} has no line {end:?}"))?;
        page.replace_range(start..start + length, &format!("\n{table}\n"));
    }
    ensure!(page.matches("<!-- begin ").count() == tables::sections(report).len(), "{PAGE} has other tables");
    Ok(page)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

    use super::*;

    fn figure(value: u64, better: Better) -> [Figure; 1] {
        [Figure { name: "capture: compute units".to_owned(), value, better }]
    }

    #[test]
    fn page_shows_the_baseline() {
        let page = fs::read_to_string(checkout_file(PAGE)).unwrap();
        let expected = with_tables(&page, &read().unwrap()).unwrap();
        let differing = page.lines().zip(expected.lines()).find(|(shown, expected)| shown != expected);
        assert_eq!(differing, None, "{PAGE} shows other figures than {BASELINE}: run `{ACCEPT}`");
        assert_eq!(page.len(), expected.len(), "{PAGE} shows other rows than {BASELINE}: run `{ACCEPT}`");
    }

    #[test]
    fn rise_above_the_tolerance_is_named() {
        let (lower, baseline) = (Better::Lower, figure(10_000, Better::Lower));
        assert_eq!(complaints(&figure(10_300, lower), &baseline), [""; 0]);
        assert_eq!(
            complaints(&figure(10_301, lower), &baseline),
            ["capture: compute units rose from 10000 to 10301, by 3.0 %"]
        );
        assert_eq!(complaints(&figure(1, lower), &baseline), [""; 0]);
    }

    #[test]
    fn fewer_payments_in_a_transaction_are_named() {
        let baseline = figure(11, Better::Higher);
        assert_eq!(complaints(&figure(12, Better::Higher), &baseline), [""; 0]);
        assert_eq!(
            complaints(&figure(10, Better::Higher), &baseline),
            ["capture: compute units fell from 11 to 10, by 9.0 %"]
        );
    }

    #[test]
    fn figure_of_one_side_only_is_named() {
        let one = figure(5, Better::Lower);
        assert_eq!(complaints(&one, &[]), ["capture: compute units is 5, and not in the baseline"]);
        assert_eq!(
            complaints(&[], &one),
            ["capture: compute units is in the baseline, and was not measured"]
        );
    }
}
