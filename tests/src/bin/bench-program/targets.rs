//! What the figures are to come to.

use crate::{
    payments::{LISTS, listed_case},
    report::{InstructionCost, Payers, Report, Table},
};

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

/// An instruction's case, and the most compute units that it may typically take: hardly more than the first version did.
const COMPUTE_UNITS: [(&str, &str, u64); 7] = [
    ("capture", "signed, part", two_percent_above(15_710)),
    ("capture", "signed, whole: closes the hold", two_percent_above(16_079)),
    ("capture", "by signer, whole: closes the hold", two_percent_above(3_310)),
    ("authorize", "next nonce", two_percent_above(17_438)),
    ("charge", "whole: the session key captures", two_percent_above(17_022)),
    ("charge", "part: one last capture", 30_500),
    ("deposit", "by the payer", two_percent_above(2_131)),
];

/// How many compute units more an authorization may take that shows its receiver in a list.
const LISTED_COMPUTE_UNITS: u64 = 4_000;

/// Signed captures in one transaction: version, table, the least number, the most lamports of base fee for each.
const CAPTURES: [(u8, Table, u64, u64); 3] =
    [(0, Table::AllButHolds, 8, 625), (0, Table::All, 11, 455), (1, Table::None, 31, 162)];

/// The least number of signed captures of several payers in a transaction of version 1: each brings four accounts.
const CAPTURES_OF_SEVERAL: u64 = 14;

const PROGRAM_BYTES: u64 = 198_808;

const fn two_percent_above(figure: u64) -> u64 {
    figure * 102 / 100
}

/// Every figure that has a target.
pub(crate) fn outcomes(report: &Report) -> Vec<Outcome> {
    let mut outcomes = compute_units(&report.instructions);
    outcomes.extend(captures(report));
    outcomes.push(outcome("program: bytes", report.program_bytes, Target::AtMost(PROGRAM_BYTES)));
    outcomes
}

fn compute_units(instructions: &[InstructionCost]) -> Vec<Outcome> {
    let find = |instruction: &str, case: &str| {
        instructions.iter().find(|cost| cost.instruction == instruction && cost.case == case)
    };
    let mut outcomes = Vec::new();
    for (instruction, case, most) in COMPUTE_UNITS {
        outcomes.extend(find(instruction, case).map(|cost| Outcome {
            figure: format!("{instruction}, {case}: compute units"),
            value: cost.typical_compute_units,
            worst: Some(cost.worst_compute_units),
            target: Target::AtMost(most),
        }));
    }
    for count in LISTS {
        let case = listed_case(count);
        if let (Some(listed), Some(free)) = (find("authorize", &case), find("authorize", "next nonce")) {
            let figure = format!("authorize, {case}: compute units more than without a list");
            let more = listed.typical_compute_units - free.typical_compute_units;
            outcomes.push(outcome(figure, more, Target::AtMost(LISTED_COMPUTE_UNITS)));
        }
    }
    outcomes
}

fn captures(report: &Report) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for (version, table, least, most_lamports) in CAPTURES {
        for packing in &report.packing {
            let same = (packing.version, packing.table) == (version, table);
            if !same || packing.instruction != "capture, signed" {
                continue;
            }
            let is_one = packing.payers == Payers::One;
            let least = if version == 1 && !is_one { CAPTURES_OF_SEVERAL } else { least };
            let name = packing.name();
            outcomes.push(outcome(format!("{name}: payments"), packing.payments, Target::AtLeast(least)));
            if is_one {
                let figure = format!("{name}: lamports of base fee each");
                outcomes.push(outcome(figure, packing.lamports_per_payment(), Target::AtMost(most_lamports)));
            }
        }
    }
    outcomes
}

fn outcome(figure: impl Into<String>, value: u64, target: Target) -> Outcome {
    Outcome { figure: figure.into(), value, worst: None, target }
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
