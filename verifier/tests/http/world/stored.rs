//! The store, seen and changed from outside.

use sqlx::{Any, AnyPool, Row, pool::PoolConnection};
use x402_escrow_domain::payment::Attempt;
use x402_escrow_verifier::store::Database;
use x402_escrow_wire::text::{Base58, Hex32};

use super::World;
use crate::wait;

/// A writer that has the store to itself.
pub(crate) struct Locked(PoolConnection<Any>);

impl Locked {
    pub(crate) async fn release(mut self) {
        sqlx::raw_sql("ROLLBACK").execute(&mut *self.0).await.unwrap();
    }
}

impl World {
    /// Everything that a request could have changed: balances, which transactions were sent, and the number of rows in the store.
    pub(crate) async fn everything(&self) -> (u64, u64, u64, usize, [i64; 3]) {
        let escrow = self.escrow_account();
        let sent = self.cluster.distinct_sent();
        (escrow.balance, escrow.held, self.received(), sent, self.rows().await)
    }

    /// Connections that are not the verifier's.
    async fn connect(&self) -> AnyPool {
        self.place.database.connect().await.unwrap()
    }

    /// Keeps all others from writing into the store.
    pub(crate) async fn locked(&self) -> Locked {
        let mut connection = self.connect().await.acquire().await.unwrap();
        let lock = match self.place.database {
            Database::Sqlite(_) => "BEGIN IMMEDIATE",
            Database::Postgres(_) => "BEGIN; LOCK TABLE payments, operations, transactions IN EXCLUSIVE MODE",
        };
        sqlx::raw_sql(lock).execute(&mut *connection).await.unwrap();
        Locked(connection)
    }

    /// Ends the lease of a leader that crashed, as it ends by itself ten seconds later.
    pub(super) async fn end_lease(&self) {
        if let Database::Postgres(_) = self.place.database {
            self.write("UPDATE leader SET leads_until = clock_timestamp() - interval '1 second'").await;
        }
    }

    /// Waits until a verifier leads.
    pub(crate) async fn led(&self) {
        wait::until("a leader", async || self.app.store.is_led().await.unwrap()).await;
    }

    /// Number of payments, operations and transactions in the store.
    pub(crate) async fn rows(&self) -> [i64; 3] {
        let pool = self.connect().await;
        let mut rows = [0; 3];
        let queries = [
            "SELECT count(*) FROM payments",
            "SELECT count(*) FROM operations",
            "SELECT count(*) FROM transactions",
        ];
        for (count, query) in rows.iter_mut().zip(queries) {
            *count = sqlx::query_scalar(query).fetch_one(&pool).await.unwrap();
        }
        pool.close().await;
        rows
    }

    /// Has ten thousand others register webhooks.
    pub(crate) async fn crowd_webhooks(&self) {
        self.write(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10000)
             INSERT INTO merchant_webhooks (receiver, receiver_authorizer, signed_until)
             SELECT 'somebody ' || n, '', 0 FROM numbers",
        )
        .await;
    }

    /// How SQLite finds what a statement needs, step by step.
    pub(crate) async fn plan(&self, statement: &str) -> Vec<String> {
        let pool = self.connect().await;
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let rows = sqlx::raw_sql(explain).fetch_all(&pool).await.unwrap();
        pool.close().await;
        rows.iter().map(|row| row.get("detail")).collect()
    }

    /// Puts a transaction into a block that was sent before, and is not final.
    pub(crate) async fn take(&self, attempt: &Attempt) {
        let pool = self.connect().await;
        let bytes: Vec<u8> = sqlx::query_scalar("SELECT bytes FROM transaction_bytes WHERE signature = $1")
            .bind(Base58(attempt.signature).to_string())
            .fetch_one(&pool)
            .await
            .unwrap();
        pool.close().await;
        self.cluster.take(attempt, &bytes);
    }

    /// How many transactions' bytes are stored.
    pub(crate) async fn kept_transactions(&self) -> i64 {
        self.count("SELECT count(*) FROM transaction_bytes").await
    }

    /// Number of payments of the scheme `exact` in the store.
    pub(crate) async fn exact_rows(&self) -> i64 {
        self.count("SELECT count(*) FROM payments WHERE scheme = 'exact'").await
    }

    /// Number of payments that are not over.
    pub(crate) async fn open_holds(&self) -> i64 {
        self.count("SELECT count(*) FROM payments WHERE review_at IS NOT NULL").await
    }

    async fn count(&self, query: &'static str) -> i64 {
        let pool = self.connect().await;
        let count = sqlx::query_scalar(query).fetch_one(&pool).await.unwrap();
        pool.close().await;
        count
    }

    /// How many of PostgreSQL's connections are in a transaction and do nothing.
    pub(crate) async fn transactions(&self) -> i64 {
        self.count(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
        )
        .await
    }

    /// The ids of a payment's operations, oldest first.
    pub(crate) async fn operation_ids(&self, id: Hex32) -> Vec<i64> {
        let pool = self.connect().await;
        let ids = sqlx::query_scalar("SELECT id FROM operations WHERE payment_id = $1 ORDER BY id")
            .bind(id.to_string())
            .fetch_all(&pool)
            .await
            .unwrap();
        pool.close().await;
        ids
    }

    /// Waits until the books have this of a payment.
    pub(crate) async fn until_booked(&self, id: Hex32, outcome: &str) {
        wait::until(&format!("{id} to be booked as {outcome}"), async || {
            let entry = self.app.store.entry(&id.0).await.unwrap().unwrap();
            entry.booked.outcome.as_str() == outcome
        })
        .await;
    }

    /// Waits until the store has that many of each.
    pub(crate) async fn until_rows(&self, wanted: [i64; 3]) {
        wait::until(&format!("{wanted:?} rows"), async || self.rows().await == wanted).await;
    }

    /// Changes what is stored.
    pub(crate) async fn write(&self, statement: &'static str) {
        let pool = self.connect().await;
        sqlx::query(statement).execute(&pool).await.unwrap();
        pool.close().await;
    }

    /// Writes something into a column of a payment's operations that the verifier can't read.
    pub(crate) async fn spoil(&self, id: Hex32, column: &str, value: &str) {
        let pool = self.connect().await;
        let update = format!("UPDATE operations SET {column} = $1 WHERE payment_id = $2");
        sqlx::query(sqlx::AssertSqlSafe(update))
            .bind(value)
            .bind(id.to_string())
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
    }

    /// Makes every operation look as if it had been accepted earlier.
    pub(crate) async fn backdate_operations(&self, seconds: i64) {
        self.backdate("UPDATE operations SET accepted_at = accepted_at - $1", seconds).await;
    }

    /// The same of every payment.
    pub(crate) async fn backdate_payments(&self, seconds: i64) {
        self.backdate("UPDATE payments SET accepted_at = accepted_at - $1", seconds).await;
    }

    /// Makes every payment's review look as if it had been due earlier.
    pub(crate) async fn backdate_reviews(&self, seconds: i64) {
        self.backdate("UPDATE payments SET review_at = review_at - $1", seconds).await;
    }

    async fn backdate(&self, update: &'static str, seconds: i64) {
        let pool = self.connect().await;
        sqlx::query(update).bind(seconds).execute(&pool).await.unwrap();
        pool.close().await;
    }
}
