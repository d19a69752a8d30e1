//! Operations: what is to be done with payments.

use sqlx::{AnyConnection, any::AnyRow};
use x402_escrow_domain::{
    decision::Begin,
    payment::{Action, Operation, OperationKey, Payment, Tracked},
};
use x402_escrow_interface::instruction::Signature;
use x402_escrow_wire::{
    auth_capture::Level,
    text::{Base58, Decimal, Hex32},
};

use super::{Readable, Store, StoreError, attempts, histories::join, row};

/// Which operations are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// All whose state can still change.
    All,
    /// Those of them that are not in a confirmed block, or of which somebody wants to know when they are final.
    Awaited,
    /// Those, and those with a transaction in a block up to this slot: with a final block's slot, those that may be final.
    UpTo(u64),
}

/// Reads the operations, and then their transactions, to which this applies. In SQLite a cross join goes through its tables
/// in this order: the other way round it would go through all transactions there are.
macro_rules! open {
    ($which:literal) => {
        [
            concat!("SELECT * FROM operations WHERE ", $which, " ORDER BY id"),
            concat!(
                "SELECT t.signature, operation_id, position, last_valid_block_height, t.state, slot, block_hash,
                 t.error_code, t.error, is_blameless, layout
                 FROM operations CROSS JOIN transactions AS t
                 WHERE operation_id = operations.id AND retired = 0 AND ",
                $which,
                " ORDER BY t.rowid"
            ),
        ]
    };
}

impl Look {
    fn queries(self) -> [&'static str; 2] {
        match self {
            Self::All => open!("operations.closed = 0"),
            // As the index has it.
            Self::Awaited => open!(
                "operations.closed = 0 AND (operations.state <> 'confirmed' OR operations.commitment = 'finalized')"
            ),
            // Not EXISTS, for which PostgreSQL may read all transactions up to that slot.
            Self::UpTo(_) => open!(
                "operations.closed = 0 AND (
                     operations.state <> 'confirmed' OR operations.commitment = 'finalized' OR (
                         SELECT min(landed.slot) FROM transactions AS landed
                         WHERE landed.operation_id = operations.id
                     ) <= $1
                 )"
            ),
        }
    }

    /// The parameter of its queries, if they have one.
    fn slot(self) -> Result<Option<i64>, StoreError> {
        match self {
            Self::All | Self::Awaited => Ok(None),
            Self::UpTo(slot) => row::integer("slot", slot).map(Some),
        }
    }
}

impl Store {
    /// Operations whose state can still change, oldest first, with the transactions that count for it. One of whose
    /// transactions is unreadable is unreadable too: it may have been sent. Those that may still come into a
    /// block have all their bytes, the others the first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn open_operations(&self, look: Look) -> Result<Readable<Tracked>, StoreError> {
        let slot = look.slot()?;
        let [operations, transactions] = look.queries().map(|query| match slot {
            Some(slot) => sqlx::query(query).bind(slot),
            None => sqlx::query(query),
        });
        let mut transaction = self.pool.begin_read(&self.database).await?;
        let rows = operations.fetch_all(&mut *transaction).await?;
        let mut operations = Readable::new();
        for row in &rows {
            operations.add(|| name(row, "id"), row::operation(row))?;
        }
        let rows = transactions.fetch_all(&mut *transaction).await?;
        let mut known = Readable::new();
        for row in &rows {
            known.add(|| name(row, "operation_id"), row::attempt(row))?;
        }
        attempts::read_bytes(&mut transaction, &mut known.rows).await?;
        let is_readable = |open: &Operation| !known.unreadable.iter().any(|one| one.name == named(open.id));
        operations.rows.retain(is_readable);
        operations.unreadable.extend(known.unreadable);
        Ok(Readable { rows: join(operations.rows, known.rows), unreadable: operations.unreadable })
    }
}

/// What the operation is called whose id is in this column.
pub(super) fn name(row: &AnyRow, column: &'static str) -> String {
    row::get(row, column).map_or_else(|_| "an operation without an id".to_owned(), named)
}

fn named(id: i64) -> String {
    format!("operation {id}")
}

/// Begins an operation: adds it, or has the one that `begin` names do it. It is to be sent. Returns its id.
pub(super) async fn begin(
    connection: &mut AnyConnection,
    payment: &Payment,
    action: &Action,
    begin: Begin,
    commitment: Level,
    now: i64,
) -> Result<i64, StoreError> {
    match begin {
        Begin::New => insert(connection, payment, action, commitment, now).await,
        Begin::Again(id) => {
            if let Action::Charge { .. } = action {
                set_action(connection, payment, action, id).await?;
            }
            take_up(connection, id, now).await.map(|()| id)
        }
        Begin::Instead(id) => replace(connection, payment, action, commitment, id).await.map(|()| id),
    }
}

/// What an action is in its columns.
struct Columns {
    key: OperationKey,
    bound: Option<String>,
    signature: Option<String>,
    release: Option<String>,
}

impl Columns {
    fn of(action: &Action, payment: &Payment) -> Self {
        let (signature, release, bound) = match *action {
            Action::Charge { signature, .. } => (signature, None, None),
            Action::Capture { signature, .. } | Action::Void { signature, .. } => {
                (Some(signature), None, None)
            }
            Action::Close { signature, release, bound, .. } => (Some(signature), Some(release), Some(bound)),
            Action::Authorize | Action::Transfer | Action::Refund { .. } | Action::Reclaim => {
                (None, None, None)
            }
        };
        let text = |signature: Signature| Base58(signature).to_string();
        Self {
            key: OperationKey::of(action, payment.amount),
            bound: bound.map(|bound| Decimal(bound).to_string()),
            signature: signature.map(text),
            release: release.map(text),
        }
    }
}

async fn insert(
    connection: &mut AnyConnection,
    payment: &Payment,
    action: &Action,
    commitment: Level,
    now: i64,
) -> Result<i64, StoreError> {
    let Columns { key: OperationKey { kind, amount, fee, last, returns }, bound, signature, release } =
        Columns::of(action, payment);
    let inserted = sqlx::query(
        "INSERT INTO operations
         (payment_id, kind, amount, fee, last, returns, signature, release_signature, commitment, accepted_at, state,
          closed, bound)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12) RETURNING id",
    )
    .bind(Hex32(payment.id).to_string())
    .bind(kind)
    .bind(Decimal(amount).to_string())
    .bind(Decimal(fee).to_string())
    .bind(i64::from(last))
    .bind(Decimal(returns).to_string())
    .bind(signature)
    .bind(release)
    .bind(commitment.as_str())
    .bind(now)
    .bind(action.first_state().as_str())
    .bind(bound)
    .fetch_one(connection)
    .await?;
    row::get(&inserted, "id")
}

/// Has an operation of which nothing was sent do `action`. It waits as long as it did, for others to be sent with.
async fn replace(
    connection: &mut AnyConnection,
    payment: &Payment,
    action: &Action,
    commitment: Level,
    id: i64,
) -> Result<(), StoreError> {
    let before = sqlx::query("SELECT commitment FROM operations WHERE id = $1")
        .bind(id)
        .fetch_one(&mut *connection)
        .await?;
    let commitment = commitment.max(row::level("commitment", row::get(&before, "commitment")?)?);
    set_action(&mut *connection, payment, action, id).await?;
    sqlx::query("UPDATE operations SET commitment = $1, error_code = NULL, error = NULL WHERE id = $2")
        .bind(commitment.as_str())
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Has an operation do `action`, in place of what it was to do.
pub(super) async fn set_action(
    connection: &mut AnyConnection,
    payment: &Payment,
    action: &Action,
    id: i64,
) -> Result<(), StoreError> {
    let Columns { key: OperationKey { kind, amount, fee, last, .. }, bound, signature, release } =
        Columns::of(action, payment);
    sqlx::query(
        "UPDATE operations SET kind = $1, amount = $2, fee = $3, last = $4, signature = $5, release_signature = $6,
         bound = $7 WHERE id = $8",
    )
    .bind(kind)
    .bind(Decimal(amount).to_string())
    .bind(Decimal(fee).to_string())
    .bind(i64::from(last))
    .bind(signature)
    .bind(release)
    .bind(bound)
    .bind(id)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes an operation up again that came to nothing.
async fn take_up(connection: &mut AnyConnection, id: i64, now: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE transactions SET retired = 1 WHERE operation_id = $1")
        .bind(id)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "UPDATE operations SET state = 'queued', closed = 0, error_code = NULL, error = NULL, accepted_at = $1
         WHERE id = $2",
    )
    .bind(now)
    .bind(id)
    .execute(connection)
    .await?;
    Ok(())
}

/// Opens an operation that was closed: it is not as it was taken to be.
pub(super) async fn reopen(connection: &mut AnyConnection, id: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE operations SET closed = 0 WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}
