//! Fills a verifier's SQLite database, which nobody uses meanwhile, with many payments that are like two that are there.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use x402_escrow_wire::text::{Base58, Hex32};

/// The part of a benchmark.
pub const ROLE: &str = "crowd";

/// How many payers there are, and as many escrows and signatures of transactions.
const PAYERS: u32 = 10_000;
const RECEIVERS: u32 = 1_000;
/// Over how many seconds the payments that are over were accepted.
const ENDED_SECONDS: u32 = 30 * 86_400;
/// Over how many seconds the open ones were.
const OPEN_SECONDS: u32 = 3 * 3600;
/// How many operations a transaction carries.
const TOGETHER: u32 = 8;

/// Fast, and unsafe: the file can be made anew.
const SESSION: &str = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000; \
                       PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = OFF";

/// The payments to add.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// The file.
    pub database: PathBuf,
    /// A payment that is held, and how many are to be like it.
    pub open: (Hex32, u32),
    /// A payment that is over, and how many are to be like it.
    pub ended: (Hex32, u32),
}

/// Fills the database. Returns how many bytes it has for each payment.
///
/// # Errors
/// If it is not one of this version's verifier.
pub async fn crowd(job: &Job) -> Result<f64> {
    let options = SqliteConnectOptions::new().filename(&job.database);
    let mut connection = SqliteConnection::connect_with(&options).await.context("opening the database")?;
    run(&mut connection, SESSION).await?;
    // An index is made faster than it is kept, and triggers would take each copy for new.
    let kept: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL",
    )
    .fetch_all(&mut connection)
    .await?;
    for (kind, name, _) in &kept {
        run(&mut connection, &format!("DROP {kind} {name}")).await?;
    }
    let to_book: i64 =
        sqlx::query_scalar("SELECT count(*) FROM payments_to_book").fetch_one(&mut connection).await?;
    ensure!(to_book == 0, "{to_book} payments are not booked yet");
    name_parties(&mut connection).await?;
    let now = "CAST(strftime('%s', 'now') AS INTEGER)";
    // Nothing is left to do with what is over.
    copy(&mut connection, job.ended, &format!("{now} - n % {ENDED_SECONDS}"), "NULL").await?;
    copy(&mut connection, job.open, &format!("{now} - n % {OPEN_SECONDS}"), "review_at").await?;
    sum_up(&mut connection).await?;
    for (_, _, sql) in &kept {
        run(&mut connection, sql).await?;
    }
    let payments: i64 =
        sqlx::query_scalar("SELECT count(*) FROM payments").fetch_one(&mut connection).await?;
    run(&mut connection, "PRAGMA journal_mode = WAL").await?;
    connection.close().await?;
    Ok(std::fs::metadata(&job.database)?.len() as f64 / payments as f64)
}

/// Makes keys for those who pay and are paid, and signatures for transactions.
async fn name_parties(connection: &mut SqliteConnection) -> Result<()> {
    run(connection, "CREATE TEMP TABLE names (n INTEGER PRIMARY KEY, key TEXT, signature TEXT)").await?;
    for n in 0..2 * PAYERS + RECEIVERS {
        let random: Vec<u8> = sqlx::query_scalar("SELECT randomblob(64)").fetch_one(&mut *connection).await?;
        let signature: [u8; 64] = random.try_into().ok().context("64 random bytes")?;
        let key: [u8; 32] = signature[..32].try_into()?;
        sqlx::query("INSERT INTO names VALUES ($1, $2, $3)")
            .bind(n)
            .bind(Base58(key).to_string())
            .bind(Base58(signature).to_string())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Adds copies of a payment and of what belongs to it, each of somebody else.
async fn copy(
    connection: &mut SqliteConnection,
    (id, count): (Hex32, u32),
    accepted_at: &str,
    review_at: &str,
) -> Result<()> {
    let last = "SELECT max(rowid) FROM payments";
    let before: i64 = sqlx::query_scalar(last).fetch_one(&mut *connection).await?;
    let changed = [
        "id",
        "payer",
        "escrow",
        "receiver",
        "receiver_authorizer",
        "accepted_at",
        "review_at",
        "to_compare",
    ];
    let columns = columns(connection, "payments", &changed).await?;
    let name =
        |from: u32, of: u32| format!("(SELECT key FROM names WHERE names.n = {from} + numbers.n % {of})");
    let (payer, escrow, receiver) = (name(0, PAYERS), name(PAYERS, PAYERS), name(2 * PAYERS, RECEIVERS));
    run(
        connection,
        &format!(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
             INSERT INTO payments ({columns}, {})
             SELECT {columns}, lower(hex(randomblob(32))), {payer}, {escrow}, {receiver}, {receiver}, {accepted_at},
                 {review_at}, 0
             FROM payments CROSS JOIN numbers WHERE id = '{id}'",
            changed.join(", ")
        ),
    )
    .await?;
    let last = "SELECT max(id) FROM operations";
    let operations_before: i64 = sqlx::query_scalar(last).fetch_one(&mut *connection).await?;
    for (table, order) in [("operations", "rowid"), ("vouchers", "id"), ("voucher_claims", "id")] {
        let columns = self::columns(connection, table, &["id", "payment_id"]).await?;
        run(
            connection,
            &format!(
                "INSERT INTO {table} ({columns}, payment_id) SELECT {}, payments.id
                 FROM payments CROSS JOIN {table} AS original
                 WHERE payments.rowid > {before} AND original.payment_id = '{id}' ORDER BY payments.{order}",
                qualified("original", &columns)
            ),
        )
        .await?;
    }
    let columns = self::columns(connection, "transactions", &["operation_id", "signature"]).await?;
    let of_original = qualified("t", &columns);
    run(
        connection,
        &format!(
            "INSERT INTO transactions ({columns}, operation_id, signature) SELECT {of_original}, copied.id,
                 (SELECT signature FROM names WHERE n = copied.id / {TOGETHER} % {PAYERS})
             FROM operations AS copied CROSS JOIN operations AS original CROSS JOIN transactions AS t
             WHERE copied.id > {operations_before} AND original.payment_id = '{id}'
             AND original.kind = copied.kind AND original.amount = copied.amount AND t.operation_id = original.id
             ORDER BY copied.id"
        ),
    )
    .await
}

/// The columns of a table without some.
async fn columns(connection: &mut SqliteConnection, table: &str, but: &[&str]) -> Result<String> {
    let names: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info($1)")
        .bind(table)
        .fetch_all(&mut *connection)
        .await?;
    Ok(names.into_iter().filter(|name| !but.contains(&name.as_str())).collect::<Vec<_>>().join(", "))
}

fn qualified(table: &str, columns: &str) -> String {
    columns.split(", ").map(|column| format!("{table}.{column}")).collect::<Vec<_>>().join(", ")
}

/// Writes the sums of what is held, as the verifier does.
async fn sum_up(connection: &mut SqliteConnection) -> Result<()> {
    run(connection, "DELETE FROM held_sums").await?;
    for (receiver, minute) in [("''", "-1"), ("receiver", "-1"), ("''", "accepted_at / 60")] {
        run(
            connection,
            &format!(
                "INSERT INTO held_sums (receiver, minute, mint, held)
                 SELECT {receiver}, {minute}, mint, CAST(sum(CAST(held AS INTEGER)) AS TEXT)
                 FROM payments WHERE held <> '0' GROUP BY 1, 2, 3"
            ),
        )
        .await?;
    }
    Ok(())
}

async fn run(connection: &mut SqliteConnection, statement: &str) -> Result<()> {
    let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await;
    done.map(drop).with_context(|| format!("in the database: {statement}"))
}
