//! The figures of the program's first version, beside those of now. Each that is clearly worse has a reason.

use crate::report::{Figure, Report};

const CHECKS: &str = "each account's version is checked; one function logs every event, 4 KB less of program";
const EVENT: &str = "the event says more, at a unit a byte, and each account's version is checked";
const NAMED: &str = "the signer names the payment: 32 bytes of digest";

/// A figure's name now, what it was, and why it is worse.
type Previous = (&'static str, u64, &'static str);

/// Typical compute units of an instruction's case.
const COMPUTE_UNITS: [Previous; 29] = [
    ("open_escrow, beside its vault", 3_684, ""),
    ("deposit, by the payer", 2_131, ""),
    ("deposit, a refund: names the payment", 2_259, ""),
    ("sync, of a plain transfer", 472, CHECKS),
    ("withdraw, to the payer", 2_264, ""),
    ("open_session", 2_850, EVENT),
    ("update_session, another length of period", 880, CHECKS),
    (
        "revoke_session, by signer",
        554,
        "a guardian or a message can revoke too; the signer names the message's digest",
    ),
    ("close_session", 751, CHECKS),
    ("close_escrow, and its empty vault", 1_977, "pays a surplus out, and the event says how much"),
    ("authorize, next nonce", 17_438, ""),
    ("authorize, nonces arrive backwards", 17_435, ""),
    ("authorize, new period, window cleared, unlucky addresses, lamports at the hold's", 26_181, ""),
    ("capture, signed, part", 15_710, ""),
    ("capture, signed, whole: closes the hold", 16_079, ""),
    ("capture, signed, last: releases the rest and closes the hold", 16_129, ""),
    ("capture, two signatures: releases the rest and closes the hold", 29_018, ""),
    ("capture, signed, with a fee: closes the hold", 18_032, ""),
    ("capture, signed, whole, of Token-2022: closes the hold", 18_006, ""),
    ("capture, two signatures, a fee to an unlucky address, in a period: releases and closes", 34_746, ""),
    ("capture, by signer, part", 2_937, EVENT),
    ("capture, by signer, whole: closes the hold", 3_310, ""),
    ("charge, whole: the session key captures", 17_022, ""),
    ("charge, part: the session key captures, a release", 29_898, ""),
    ("charge, three signatures, a fee, new period, window cleared, unlucky addresses", 51_642, ""),
    ("void, signed: closes the hold", 14_160, ""),
    ("void, by signer: closes the hold", 1_428, ""),
    ("void, signed, after a capture, in a period: closes the hold", 14_172, ""),
    ("reclaim, closes the hold", 1_215, ""),
];

/// Payments in a transaction: instruction, payers, version, lookup table.
const PAYMENTS: [Previous; 14] = [
    ("authorize of one payer, version 0, table: all accounts", 6, ""),
    ("authorize of one payer, version 1, table: none", 20, ""),
    ("capture, signed of one payer, version 0, table: all but holds", 8, ""),
    ("capture, signed of one payer, version 0, table: all accounts", 11, ""),
    ("capture, signed of one payer, version 1, table: none", 31, ""),
    ("capture, by signer of one payer, version 0, table: none", 13, NAMED),
    ("capture, by signer of one payer, version 0, table: all but holds", 16, NAMED),
    ("capture, by signer of one payer, version 0, table: all accounts", 32, NAMED),
    ("capture, by signer of several payers, version 0, table: none", 5, NAMED),
    ("capture, by signer of several payers, version 0, table: all but holds", 14, NAMED),
    ("capture, by signer of one payer, version 1, table: none", 32, ""),
    ("charge, the session key captures of one payer, version 0, table: all accounts", 5, ""),
    ("charge, the session key captures of one payer, version 1, table: none", 21, ""),
    (
        "charge, the session key captures of several payers, version 1, table: none",
        13,
        "each session key is an account more",
    ),
];

/// Length of a file or an account.
const BYTES: [Previous; 4] = [
    ("program", 198_808, ""),
    ("escrow", 216, "version, guardian, revocation by slot, and 64 bytes spare"),
    ("session", 400, "version, and 64 bytes spare"),
    ("hold", 328, ""),
];

/// A figure before and now.
pub(crate) struct Change {
    pub(crate) before: u64,
    pub(crate) now: Figure,
    /// Why it is worse; empty where it is not.
    pub(crate) reason: &'static str,
}

/// Every figure of the lists that `report` has too.
pub(crate) fn changes(report: &Report) -> Vec<Change> {
    let figures = report.figures();
    let change = |(name, before, reason): (String, u64, &'static str)| {
        let now = figures.iter().find(|figure| figure.name == name)?.clone();
        Some(Change { before, now, reason })
    };
    all().filter_map(change).collect()
}

/// The lists, with the names that the figures of a report have.
fn all() -> impl Iterator<Item = (String, u64, &'static str)> {
    let lists = [(&BYTES[..], "bytes"), (&COMPUTE_UNITS, "typical compute units"), (&PAYMENTS, "payments")];
    lists.into_iter().flat_map(|(list, unit)| {
        list.iter().map(move |&(name, before, reason)| (format!("{name}: {unit}"), before, reason))
    })
}

impl Change {
    /// By how much the figure changed, in per cent with one decimal.
    pub(crate) fn percent(&self) -> String {
        let permille =
            (self.now.value.abs_diff(self.before) * 1_000).checked_div(self.before).unwrap_or(1_000);
        let sign = match permille {
            0 => "",
            _ if self.now.value > self.before => "+",
            _ => "-",
        };
        format!("{sign}{}.{} %", permille / 10, permille % 10)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

    use super::*;
    use crate::{baseline, report::Better};

    #[test]
    fn each_previous_figure_is_in_the_baseline() {
        let figures = baseline::read().unwrap().figures();
        for (name, ..) in all() {
            assert!(figures.iter().any(|figure| figure.name == name), "{name} is not measured any more");
        }
    }

    #[test]
    fn those_figures_have_reasons_that_are_more_than_two_per_cent_worse() {
        for change in changes(&baseline::read().unwrap()) {
            let Change { before, now, reason } = &change;
            let is_worse = match now.better {
                Better::Lower => now.value * 100 > before * 102,
                Better::Higher => now.value * 100 < before * 98,
            };
            assert_eq!(is_worse, !reason.is_empty(), "{}: {}", now.name, change.percent());
        }
    }
}
