//! Statements that write many rows at once: written by a statement of its own, a row costs mostly that statement.

/// How many rows one statement takes: few different statements, so that they stay prepared.
const SIZES: [usize; 4] = [1, 8, 32, 128];

/// The same statement for each number of rows.
pub(super) type Statements = [String; SIZES.len()];

/// The most rows of one statement.
pub(super) const MOST_ROWS: usize = SIZES[SIZES.len() - 1];

/// The smallest statement for at most `rows` rows, and how many it takes.
pub(super) fn statement(statements: &'static Statements, rows: usize) -> (&'static str, usize) {
    let index = SIZES.iter().position(|size| *size >= rows).unwrap_or(SIZES.len() - 1);
    (&statements[index], SIZES[index])
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
