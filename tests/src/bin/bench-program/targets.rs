//! What the figures are to come to.

use crate::report::{Payers, Report, Table};

/// A figure and its target.
pub(crate) struct Outcome {
    pub(crate) figure: String,
    pub(crate) value: u64,
    /// The most of the samples, where there are several.
    pub(crate) worst: Option<u64>,
    pub(crate) target: Target,
}

#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtMost(u64),
    AtLeast(u64),
}

/// An instruction's case, and the most compute units that it may typically take.
const COMPUTE_UNITS: [(&str, &str, u64); 6] = [
    ("capture", "signed, part", 17_500),
    ("capture", "signed, whole: closes the hold", 17_500),
    ("charge", "whole", 17_500),
    ("capture", "by signer, whole: closes the hold", 4_500),
    ("authorize", "next nonce", 20_000),
    ("deposit", "by the payer", 3_500),
];

/// Signed captures in one transaction: version, table, the least number, the most lamports of base fee for each.
const CAPTURES: [(u8, Table, u64, u64); 3] =
    [(0, Table::AllButHolds, 8, 625), (0, Table::All, 11, 455), (1, Table::None, 25, 200)];

const PROGRAM_BYTES: u64 = 200_000;

/// Every figure that has a target.
pub(crate) fn outcomes(report: &Report) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for (instruction, case, most) in COMPUTE_UNITS {
        let costs = report.instructions.iter();
        outcomes.extend(costs.filter(|cost| cost.instruction == instruction && cost.case == case).map(
            |cost| Outcome {
                figure: format!("{instruction}, {case}: compute units"),
                value: cost.typical_compute_units,
                worst: Some(cost.worst_compute_units),
                target: Target::AtMost(most),
            },
        ));
    }
    for (version, table, least, most_lamports) in CAPTURES {
        for packing in &report.packing {
            let same = (packing.version, packing.table) == (version, table);
            if !same || packing.instruction != "capture, signed" {
                continue;
            }
            outcomes.push(Outcome {
                figure: format!("{}: payments", packing.name()),
                value: packing.payments,
                worst: None,
                target: Target::AtLeast(least),
            });
            if packing.payers == Payers::One {
                outcomes.push(Outcome {
                    figure: format!("{}: lamports of base fee each", packing.name()),
                    value: packing.lamports_per_payment(),
                    worst: None,
                    target: Target::AtMost(most_lamports),
                });
            }
        }
    }
    outcomes.push(Outcome {
        figure: "program: bytes".to_owned(),
        value: report.program_bytes,
        worst: None,
        target: Target::AtMost(PROGRAM_BYTES),
    });
    outcomes
}

impl Outcome {
    /// `ok`, or what is wrong.
    pub(crate) fn verdict(&self) -> &'static str {
        match self.target {
            Target::AtMost(most) if self.value > most => "above",
            Target::AtMost(most) if self.worst.is_some_and(|worst| worst > most) => "ok, worst above",
            Target::AtLeast(least) if self.value < least => "below",
            _ => "ok",
        }
    }
}
