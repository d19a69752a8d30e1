//! Payments with all that was done with them: one alone, or many by as few statements.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use sqlx::{AnyConnection, any::AnyRow};
use x402_escrow_domain::payment::{Attempt, History, Operation, Payment, Tracked, Voucher};
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::text::Hex32;

use super::{Readable, Store, StoreError, row};

/// How many are read by the same statements.
const READ_TOGETHER: usize = 32;

/// Read so many payments, what was done with them, the transactions of that (the first byte of each), and their last
/// vouchers.
struct Queries {
    count: usize,
    payments: String,
    operations: String,
    transactions: String,
    vouchers: String,
}

static ONE: LazyLock<Queries> = LazyLock::new(|| Queries::of(1));
static MANY: LazyLock<Queries> = LazyLock::new(|| Queries::of(READ_TOGETHER));

impl Queries {
    fn of(count: usize) -> Self {
        let ids = row::places(count);
        Self {
            count,
            payments: format!("SELECT * FROM payments WHERE id IN ({ids})"),
            operations: format!("SELECT * FROM operations WHERE payment_id IN ({ids}) ORDER BY id"),
            transactions: format!(
                "SELECT transactions.*, payment_id
                 FROM transactions JOIN operations ON operations.id = operation_id
                 WHERE payment_id IN ({ids}) ORDER BY transactions.rowid"
            ),
            vouchers: format!("SELECT * FROM vouchers WHERE payment_id IN ({ids})"),
        }
    }

    /// What the query finds of these payments, of which there is at least one.
    async fn fetch(
        &self,
        connection: &mut AnyConnection,
        query: &'static str,
        ids: &[Digest],
    ) -> Result<Vec<AnyRow>, StoreError> {
        let filled = row::filled(ids, self.count);
        let query = filled.fold(sqlx::query(query), |query, id| query.bind(Hex32(*id).to_string()));
        Ok(query.fetch_all(connection).await?)
    }
}

/// What was read of a payment so far.
#[derive(Default)]
struct Parts {
    payment: Option<Payment>,
    operations: Vec<Operation>,
    attempts: Vec<Attempt>,
    voucher: Option<Voucher>,
    /// Of the first row that can't be read.
    error: Option<StoreError>,
}

impl Parts {
    fn history(self) -> Option<Result<History, StoreError>> {
        let Self { payment, operations, attempts, voucher, error } = self;
        if let Some(error) = error {
            return Some(Err(error));
        }
        Some(Ok(History { payment: payment?, operations: join(operations, attempts), voucher }))
    }
}

impl Store {
    /// A payment and all that was done with it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn history(&self, id: &Digest) -> Result<Option<History>, StoreError> {
        history(&mut *self.pool.acquire().await?, id).await
    }

    /// Payments and all that was done with them, in any order.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn histories(&self, ids: &[Digest]) -> Result<Readable<History>, StoreError> {
        histories(&mut *self.pool.acquire().await?, ids).await
    }
}

/// Reads a payment and what was done with it on one connection.
pub(super) async fn history(
    connection: &mut AnyConnection,
    id: &Digest,
) -> Result<Option<History>, StoreError> {
    let mut read = read(connection, &ONE, &[*id]).await?;
    read.remove(id).and_then(Parts::history).transpose()
}

/// Reads payments and what was done with them on one connection, in the order of `ids`. One that can't be read is named by
/// its id.
pub(super) async fn histories(
    connection: &mut AnyConnection,
    ids: &[Digest],
) -> Result<Readable<History>, StoreError> {
    let mut histories = Readable::new();
    for chunk in ids.chunks(READ_TOGETHER) {
        let queries = if chunk.len() == 1 { &ONE } else { &MANY };
        let mut read = read(connection, queries, chunk).await?;
        for id in chunk {
            if let Some(history) = read.remove(id).and_then(Parts::history) {
                histories.add(|| Hex32(*id).to_string(), history)?;
            }
        }
    }
    Ok(histories)
}

/// The same of the payments in this column `id`.
pub(super) async fn of_rows(
    connection: &mut AnyConnection,
    rows: &[AnyRow],
) -> Result<Readable<History>, StoreError> {
    let mut ids = Readable::new();
    for row in rows {
        let id = row::parse::<Hex32>(row, "id").map(|id| id.0);
        ids.add(|| row::get(row, "id").unwrap_or_default(), id)?;
    }
    let mut histories = histories(connection, &ids.rows).await?;
    histories.unreadable.extend(ids.unreadable);
    Ok(histories)
}

async fn read(
    connection: &mut AnyConnection,
    queries: &'static Queries,
    ids: &[Digest],
) -> Result<HashMap<Digest, Parts>, StoreError> {
    let mut read = HashMap::new();
    for row in queries.fetch(connection, &queries.payments, ids).await? {
        take(&mut read, &row, "id", row::payment(&row), |parts, payment| parts.payment = Some(payment))?;
    }
    if read.is_empty() {
        return Ok(read);
    }
    let of = "payment_id";
    for row in queries.fetch(connection, &queries.operations, ids).await? {
        take(&mut read, &row, of, row::operation(&row), |parts, operation| parts.operations.push(operation))?;
    }
    for row in queries.fetch(connection, &queries.transactions, ids).await? {
        take(&mut read, &row, of, row::attempt(&row), |parts, attempt| parts.attempts.push(attempt))?;
    }
    for row in queries.fetch(connection, &queries.vouchers, ids).await? {
        take(&mut read, &row, of, row::voucher(&row), |parts, voucher| parts.voucher = Some(voucher))?;
    }
    Ok(read)
}

/// Takes in a part of the payment that this column names.
fn take<T>(
    read: &mut HashMap<Digest, Parts>,
    row: &AnyRow,
    column: &'static str,
    part: Result<T, StoreError>,
    put: impl FnOnce(&mut Parts, T),
) -> Result<(), StoreError> {
    let parts = read.entry(row::parse::<Hex32>(row, column)?.0).or_default();
    match part {
        Ok(part) => put(parts, part),
        Err(error) if error.is_of_row() => _ = parts.error.get_or_insert(error),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Operations with their transactions.
pub(super) fn join(operations: Vec<Operation>, attempts: Vec<Attempt>) -> Vec<Tracked> {
    let mut by_operation: BTreeMap<i64, Vec<Attempt>> = BTreeMap::new();
    for attempt in attempts {
        by_operation.entry(attempt.operation_id).or_default().push(attempt);
    }
    operations
        .into_iter()
        .map(|operation| {
            let attempts = by_operation.remove(&operation.id).unwrap_or_default();
            Tracked { operation, attempts }
        })
        .collect()
}
