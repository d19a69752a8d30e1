//! Many payments that are like one that is there.

use sqlx::{AnyConnection, AssertSqlSafe, Column, Row};
use x402_escrow_verifier::store::Database;
use x402_escrow_wire::text::Hex32;

use super::World;

/// The id of the copy with the number `n`, of the id in this column: its last digits are the number.
fn copied(column: &str) -> String {
    format!("substr({column}, 1, 52) || substr('000000000000' || n, length('000000000000' || n) - 11)")
}

impl World {
    /// Adds `count` copies of a payment and of what belongs to it. Other payments must not have its id's first digits.
    pub(crate) async fn crowd(&self, id: Hex32, count: u32) {
        let pool = self.place.database.connect().await.unwrap();
        // What reads before it writes is refused by SQLite where somebody else wrote in between.
        let mut transaction = match self.place.database {
            Database::Sqlite(_) => pool.begin_with("BEGIN IMMEDIATE").await.unwrap(),
            Database::Postgres(_) => pool.begin().await.unwrap(),
        };
        let id = id.to_string();
        copy(&mut transaction, "payments", "id", "", &id, count).await;
        copy(&mut transaction, "operations", "payment_id", "id", &id, count).await;
        copy(&mut transaction, "vouchers", "payment_id", "", &id, count).await;
        let columns = columns(&mut transaction, "transactions", "operation_id", "rowid").await;
        let transactions = format!(
            "INSERT INTO transactions ({columns}, operation_id) SELECT {}, copies.id
             FROM transactions JOIN operations ON operations.id = operation_id
             JOIN operations AS copies ON copies.kind = operations.kind AND copies.amount = operations.amount
             WHERE operations.payment_id = $1 AND copies.payment_id <> $1 AND substr(copies.payment_id, 1, 52) = substr($1, 1, 52)",
            columns.split(", ").map(|column| format!("transactions.{column}")).collect::<Vec<_>>().join(", ")
        );
        sqlx::query(AssertSqlSafe(transactions)).bind(&id).execute(&mut *transaction).await.unwrap();
        // Triggers took the copies for new.
        let promised =
            "UPDATE payments SET promised_until = (SELECT promised_until FROM payments WHERE id = $1)
             WHERE substr(id, 1, 52) = substr($1, 1, 52)";
        sqlx::query(promised).bind(&id).execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
        pool.close().await;
    }
}

/// Copies the rows of a table that belong to a payment, whose id is in the column `key`.
async fn copy(connection: &mut AnyConnection, table: &str, key: &str, generated: &str, id: &str, count: u32) {
    let (columns, copied) = (columns(connection, table, key, generated).await, copied(key));
    let insert = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
         INSERT INTO {table} ({columns}, {key}) SELECT {columns}, {copied} FROM {table} CROSS JOIN numbers WHERE {key} = $1"
    );
    sqlx::query(AssertSqlSafe(insert)).bind(id).execute(connection).await.unwrap();
}

/// The columns of a table without these two.
async fn columns(connection: &mut AnyConnection, table: &str, key: &str, generated: &str) -> String {
    let row = sqlx::query(AssertSqlSafe(format!("SELECT * FROM {table} LIMIT 1")))
        .fetch_optional(connection)
        .await
        .unwrap();
    let names = row.iter().flat_map(Row::columns).map(Column::name);
    names.filter(|name| ![key, generated].contains(name)).collect::<Vec<_>>().join(", ")
}
