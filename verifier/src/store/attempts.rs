//! Transactions: one row for each operation that one carries.

use std::{
    collections::{BTreeSet, HashMap},
    sync::LazyLock,
};

use sqlx::AnyConnection;
use x402_escrow_domain::payment::{Attempt, AttemptState};
use x402_escrow_interface::instruction::Signature;
use x402_escrow_wire::text::Base58;

use super::{
    StoreError,
    many::{Statements, batches, statements},
    row,
};

/// How many transactions' bytes one statement reads.
const READ_TOGETHER: usize = 64;

static READ_ONE: LazyLock<String> = LazyLock::new(|| read_of(1));
static READ_MANY: LazyLock<String> = LazyLock::new(|| read_of(READ_TOGETHER));

static UPDATES: LazyLock<Statements> = LazyLock::new(|| {
    statements::<8>(|places| {
        format!(
            "WITH new (signature, operation_id, state, slot, block_hash, error_code, error, is_blameless)
                 AS (VALUES {places})
             UPDATE transactions
             SET state = new.state, slot = new.slot, block_hash = new.block_hash, error_code = new.error_code,
                 error = new.error, is_blameless = new.is_blameless
             FROM new
             WHERE transactions.signature = new.signature AND transactions.operation_id = new.operation_id"
        )
    })
});

fn read_of(count: usize) -> String {
    format!("SELECT signature, bytes FROM transaction_bytes WHERE signature IN ({})", row::places(count))
}

/// Adds a transaction to its operation, which is sent by it. The bytes are stored with the first of a transaction's
/// operations.
pub(super) async fn insert_attempt(
    connection: &mut AnyConnection,
    attempt: &Attempt,
) -> Result<(), StoreError> {
    let signature = Base58(attempt.signature).to_string();
    sqlx::query(
        "INSERT INTO transactions (signature, operation_id, position, layout, last_valid_block_height, state)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&signature)
    .bind(attempt.operation_id)
    .bind(attempt.position.map(i64::from))
    .bind(attempt.transaction.get(..1).unwrap_or_default())
    .bind(row::integer("last_valid_block_height", attempt.last_valid_block_height)?)
    .bind(attempt.state.as_str())
    .execute(&mut *connection)
    .await?;
    if !attempt.is_by_others() && attempt.position.is_none_or(|position| position == 0) {
        sqlx::query(
            "INSERT INTO transaction_bytes (signature, bytes) VALUES ($1, $2) ON CONFLICT (signature) DO NOTHING",
        )
        .bind(signature)
        .bind(&attempt.transaction)
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// Reads the bytes of the transactions that may have to be sent again. Where they are missing, the first byte stays alone:
/// such a transaction isn't sent.
pub(super) async fn read_bytes(
    connection: &mut AnyConnection,
    attempts: &mut [Attempt],
) -> Result<(), StoreError> {
    let is_sent = |attempt: &Attempt| attempt.state == AttemptState::Sent && !attempt.is_by_others();
    let sent: BTreeSet<_> =
        attempts.iter().filter(|attempt| is_sent(attempt)).map(|attempt| attempt.signature).collect();
    let sent: Vec<_> = sent.into_iter().collect();
    let mut known: HashMap<Signature, Vec<u8>> = HashMap::new();
    for signatures in sent.chunks(READ_TOGETHER) {
        let (query, count) = match signatures {
            [_] => (&READ_ONE, 1),
            _ => (&READ_MANY, READ_TOGETHER),
        };
        let query = row::filled(signatures, count)
            .fold(sqlx::query(query.as_str()), |query, signature| query.bind(Base58(*signature).to_string()));
        for found in &query.fetch_all(&mut *connection).await? {
            known.insert(row::parse::<Base58<64>>(found, "signature")?.0, row::get(found, "bytes")?);
        }
    }
    for attempt in attempts.iter_mut().filter(|attempt| is_sent(attempt)) {
        if let Some(bytes) = known.get(&attempt.signature) {
            attempt.transaction.clone_from(bytes);
        }
    }
    Ok(())
}

/// Records how far transactions of operations are. Returns how many of them are stored.
pub(super) async fn update_attempts(
    connection: &mut AnyConnection,
    attempts: &[&Attempt],
) -> Result<u64, StoreError> {
    let mut updated = 0;
    for (text, attempts) in batches(&UPDATES, attempts) {
        let mut query = sqlx::query(text);
        for attempt in attempts {
            let columns = row::StateColumns::new(&attempt.state)?;
            query = query
                .bind(Base58(attempt.signature).to_string())
                .bind(attempt.operation_id)
                .bind(columns.state)
                .bind(columns.slot)
                .bind(columns.block_hash)
                .bind(columns.error_code)
                .bind(columns.error)
                .bind(i64::from(attempt.is_blameless));
        }
        updated += query.execute(&mut *connection).await?.rows_affected();
    }
    Ok(updated)
}
