//! Statements that write many rows at once: written by a statement of its own, a row costs mostly that statement.

use super::row;

/// How many rows one statement takes: few different statements, so that they stay prepared.
const SIZES: [usize; 4] = [1, 8, 32, 128];

/// The same statement for each number of rows.
pub(super) type Statements = [String; SIZES.len()];

/// The most rows of one statement.
const MOST_ROWS: usize = SIZES[SIZES.len() - 1];

/// The statements that write `rows`, each with its rows: the last again until they are as many as it takes. A row of a table
/// that several of them name is written once, and what they say of it is the same.
pub(super) fn batches<'a, T>(
    statements: &'static Statements,
    rows: &'a [T],
) -> impl Iterator<Item = (&'static str, impl Iterator<Item = &'a T>)> {
    rows.chunks(MOST_ROWS).map(|rows| {
        let index = SIZES.iter().position(|size| *size >= rows.len()).unwrap_or(SIZES.len() - 1);
        (statements[index].as_str(), row::filled(rows, SIZES[index]))
    })
}

/// All statements of these columns, as `text` makes them of the places of their values.
pub(super) fn statements<const COLUMNS: usize>(text: impl Fn(String) -> String) -> Statements {
    SIZES.map(|size| text(places::<COLUMNS>(size)))
}

fn places<const COLUMNS: usize>(rows: usize) -> String {
    let row = |row: usize| {
        let columns = (1..=COLUMNS).map(|column| format!("${}", row * COLUMNS + column));
        format!("({})", columns.collect::<Vec<_>>().join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}
