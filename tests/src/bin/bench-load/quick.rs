//! What CI measures in less than three minutes, on the programs that its tests have compiled anyway: those of the profile
//! `dev`, which optimises what they spend their time in. Their ratios say nothing of a release, so they have a baseline of
//! their own. Processor time is compared, since it depends neither on the disk nor on what else the machine does.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::{Arguments, Measure, Plan, baseline, chosen, figures::Figure, show, vouchers};

const BASELINE: &str = "tests/bench-load-quick-baseline.json";
const ACCEPT: &str = "cargo xtask bench load --quick --write-baseline";

const SUBJECTS: [(&str, Measure); 2] =
    [(vouchers::PROCESSOR, vouchers::processor), (vouchers::IN_PROCESS, vouchers::in_process)];

const PLAN: Plan =
    Plan { rounds: 5, warm_up: Duration::from_millis(500), measured: Duration::from_millis(1_500) };
/// Of a baseline, so that its spread says something.
const BASELINE_ROUNDS: usize = 20;

/// A ratio is judged only if no round of its baseline was further below the median: half of what is a failure.
const STEADY_SHARE: f64 = (1.0 + baseline::LEAST_SHARE) / 2.0;

/// A ratio as it was when it was accepted: the median of the rounds, and the lowest and the highest of them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Accepted {
    median: f64,
    lowest: f64,
    highest: f64,
}

type Baseline = BTreeMap<String, Accepted>;

/// Measures what is chosen, and makes the ratios the baseline, or fails if one is a quarter below it. What seems to be
/// worse than the baseline is measured twice: a machine can be slow for a while.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let is_baseline = arguments.write_baseline;
    // One that can't be read is known before minutes of measuring.
    let before = if is_baseline { Baseline::new() } else { baseline::read_file(BASELINE, ACCEPT)? };
    let plan = if is_baseline { Plan { rounds: BASELINE_ROUNDS, ..PLAN } } else { PLAN };
    let mut measured = Vec::new();
    for (name, measure) in chosen(&SUBJECTS, &arguments.only)? {
        eprintln!("measuring {name}");
        let mut figures = measure(plan)?;
        if figures.iter().any(|figure| has_fallen(figure, before.get(&figure.name))) {
            eprintln!("measuring {name} again: it seems to be worse than {BASELINE}");
            figures = measure(plan)?;
        }
        measured.extend(figures);
    }
    show(&measured, arguments.json)?;
    if is_baseline { write(&measured) } else { check(&measured, &before) }
}

/// Whether the ratio is a quarter below one that is steady enough to tell.
fn has_fallen(figure: &Figure, before: Option<&Accepted>) -> bool {
    before.is_some_and(|before| is_steady(before) && figure.ratio() < before.median * baseline::LEAST_SHARE)
}

fn is_steady(accepted: &Accepted) -> bool {
    accepted.lowest >= accepted.median * STEADY_SHARE
}

fn check(figures: &[Figure], before: &Baseline) -> Result<()> {
    let mut complaints = Vec::new();
    for figure in figures {
        let (name, ratio) = (&figure.name, figure.ratio());
        match before.get(name) {
            None => complaints.push(format!("{name} is not in the baseline")),
            Some(before) if has_fallen(figure, Some(before)) => {
                complaints.push(format!("{name} fell from {:.3} to {ratio:.3}", before.median));
            }
            Some(before) if !is_steady(before) => {
                eprintln!("{name} is not judged: its baseline went down to {:.3}", before.lowest);
            }
            Some(_) => {}
        }
    }
    baseline::judge(&complaints, BASELINE, ACCEPT)
}

fn write(figures: &[Figure]) -> Result<()> {
    let rounded = |ratio: f64| (ratio * 1000.0).round() / 1000.0;
    let accepted = figures.iter().map(|figure| {
        let (lowest, highest) = figure.spread();
        let (median, lowest, highest) = (rounded(figure.ratio()), rounded(lowest), rounded(highest));
        (figure.name.clone(), Accepted { median, lowest, highest })
    });
    baseline::write_file(BASELINE, &accepted.collect())
}

#[cfg(test)]
mod tests {
    use x402_escrow_load::measured::{Measured, Round};

    use super::*;

    fn verdict(ratios: &[f64], lowest: f64) -> Result<()> {
        let round = |ratio: &f64| Round { subject: Measured::rate(*ratio), compared: Measured::rate(1.0) };
        let figure = Figure::new("vouchers", "", "", None, ratios.iter().map(round).collect());
        let accepted = Accepted { median: 0.4, lowest, highest: 0.42 };
        check(&[figure], &Baseline::from([("vouchers".to_owned(), accepted)]))
    }

    #[test]
    fn a_ratio_that_fell_by_a_quarter_fails_and_a_slow_round_does_not() {
        assert!(verdict(&[0.31, 0.31, 0.31], 0.39).is_ok());
        assert!(verdict(&[0.39, 0.1, 0.38], 0.39).is_ok());
        let error = verdict(&[0.29, 0.4, 0.28], 0.39).unwrap_err().to_string();
        assert!(error.contains("vouchers fell from 0.400 to 0.290"), "{error}");
    }

    #[test]
    fn a_ratio_that_was_not_steady_is_not_judged() {
        assert!(verdict(&[0.2, 0.2, 0.2], 0.34).is_ok());
        assert!(verdict(&[0.2, 0.2, 0.2], 0.36).is_err());
    }
}
