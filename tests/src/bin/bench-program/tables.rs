//! The report as Markdown tables, for a terminal and for docs/benchmarks.md alike.

use crate::{
    number::{number, signed_number},
    peers, previous, rent,
    report::{Packing, Payers, Report},
    targets::{self, Target},
};

/// A table under its name, which marks its place on the page.
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) table: String,
}

/// All tables of a report.
pub(crate) fn sections(report: &Report) -> Vec<Section> {
    vec![
        Section { name: "targets", table: targets(report) },
        Section { name: "previous figures", table: previous(report) },
        Section { name: "instructions", table: instructions(report) },
        Section { name: "parts", table: parts(report) },
        Section { name: "one payment", table: transactions(report) },
        Section { name: "rent", table: rent(report) },
        Section { name: "payments in one transaction", table: packing(report) },
    ]
}

fn targets(report: &Report) -> String {
    let rows = targets::outcomes(report).into_iter().map(|outcome| {
        let target = match outcome.target {
            Target::AtMost(most) => format!("at most {}", number(most)),
            Target::AtLeast(least) => format!("at least {}", number(least)),
        };
        let worst = outcome.worst.map(number).unwrap_or_default();
        vec![outcome.figure.clone(), number(outcome.value), worst, target, outcome.verdict().to_owned()]
    });
    table(&["figure", "measured", "worst", "target", ""], &[1, 2], rows)
}

fn instructions(report: &Report) -> String {
    let rows = report.instructions.iter().map(|cost| {
        let unavoidable = cost.work.compute_units(&report.parts);
        let share = unavoidable * 100 / cost.typical_compute_units;
        vec![
            cost.instruction.clone(),
            cost.case.clone(),
            number(cost.typical_compute_units),
            number(cost.worst_compute_units),
            number(unavoidable),
            format!("{share} %"),
            peers::instruction(&cost.instruction, &cost.case).to_owned(),
        ]
    });
    let titles =
        ["instruction", "case", "typical", "worst", "unavoidable", "share", "payment-channels, published"];
    table(&titles, &[2, 3, 4, 5], rows)
}

fn parts(report: &Report) -> String {
    let parts = &report.parts;
    let rows = [
        (
            "Ed25519 signature checked in the program: signed capture less capture by signer",
            parts.signature_check,
        ),
        ("`TransferChecked` as an instruction of its own", parts.token_transfer),
        ("`CreateAccount` of a hold's size as an instruction of its own", parts.account_creation),
        (
            "a token account made by the Associated Token Account program (an escrow's vault)",
            parts.vault_creation,
        ),
        ("each further try for a derived address: luck, and no part of the sum", parts.address_try),
        ("each call of another program: the runtime's constant, not measured", parts.call),
    ];
    let rows = rows.into_iter().map(|(part, units)| vec![part.to_owned(), number(units)]);
    table(&["part", "compute units"], &[1], rows)
}

fn transactions(report: &Report) -> String {
    let rows = report.transactions.iter().map(|cost| {
        vec![
            cost.transaction.clone(),
            cost.table.title().to_owned(),
            number(cost.bytes),
            number(cost.accounts),
            number(cost.compute_units),
            number(cost.base_fee_lamports),
            number(cost.priority_fee_lamports),
            signed_number(cost.rent_lamports),
        ]
    });
    let titles = [
        "transaction",
        "in a lookup table",
        "bytes",
        "accounts",
        "compute units",
        "base fee",
        "priority fee",
        "rent",
    ];
    table(&titles, &[2, 3, 4, 5, 6, 7], rows)
}

fn rent(report: &Report) -> String {
    let measured =
        report.rents.iter().map(|rent| (rent.lamports_per_byte, format!("{}: measured", rent.cluster)));
    let published = rent::PUBLISHED.map(|(lamports_per_byte, basis)| (lamports_per_byte, basis.to_owned()));
    let rows = measured.chain(published).map(|(lamports_per_byte, basis)| {
        let lamports =
            report.accounts.iter().map(|account| number(rent::lamports(account.bytes, lamports_per_byte)));
        [number(lamports_per_byte), basis].into_iter().chain(lamports).collect()
    });
    let accounts =
        report.accounts.iter().map(|account| format!("{}, {} bytes", account.account, account.bytes));
    let titles: Vec<_> =
        ["lamports a byte", "where"].map(str::to_owned).into_iter().chain(accounts).collect();
    let titles: Vec<_> = titles.iter().map(String::as_str).collect();
    table(&titles, &[0, 2, 3, 4, 5], rows)
}

fn previous(report: &Report) -> String {
    let rows = previous::changes(report).into_iter().map(|change| {
        vec![
            change.now.name.clone(),
            number(change.before),
            number(change.now.value),
            change.percent(),
            change.reason.to_owned(),
        ]
    });
    table(&["figure", "before", "now", "change", "reason"], &[1, 2, 3], rows)
}

fn packing(report: &Report) -> String {
    let rows = report.packing.iter().map(|packing: &Packing| {
        let payers = match packing.payers {
            Payers::One => "one",
            Payers::Several => "several",
        };
        vec![
            packing.instruction.clone(),
            payers.to_owned(),
            packing.version.to_string(),
            packing.table.title().to_owned(),
            number(packing.payments),
            number(packing.lamports_per_payment()),
            number(packing.bytes),
            number(packing.accounts),
            number(packing.compute_units),
            packing.limit.clone(),
            peers::packing(packing).to_owned(),
        ]
    });
    let titles = [
        "instruction",
        "payers",
        "version",
        "in a lookup table",
        "payments",
        "lamports each",
        "bytes",
        "accounts",
        "compute units",
        "one more exceeds",
        "payment-channels",
    ];
    table(&titles, &[2, 4, 5, 6, 7, 8], rows)
}

/// A Markdown table whose columns are also aligned in plain text; those in `right` to the right.
fn table(titles: &[&str], right: &[usize], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let rows: Vec<_> = rows.into_iter().collect();
    let widths: Vec<_> = titles
        .iter()
        .enumerate()
        .map(|(column, title)| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([title.chars().count(), 3]).max().unwrap_or_default()
        })
        .collect();
    let line = |cells: Vec<String>| {
        let padded = cells.iter().enumerate().map(|(column, cell)| {
            let width = widths[column];
            if right.contains(&column) { format!(" {cell:>width$} ") } else { format!(" {cell:<width$} ") }
        });
        format!("|{}|\n", padded.collect::<Vec<_>>().join("|"))
    };
    let rule = widths.iter().enumerate().map(|(column, width)| {
        if right.contains(&column) { format!("{}:", "-".repeat(width - 1)) } else { "-".repeat(*width) }
    });
    let mut text = line(titles.iter().map(|&title| title.to_owned()).collect());
    text += &line(rule.collect());
    for row in rows {
        text += &line(row);
    }
    text
}
